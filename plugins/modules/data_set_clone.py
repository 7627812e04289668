#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: multiply the data set of one tenant inside the database and artifact store of a managed MLflow."""

from __future__ import annotations

DOCUMENTATION = r"""
module: data_set_clone
version_added: 0.2.0
short_description: Multiply the data set of one tenant inside a managed MLflow
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Gives empty tenants what a filled one holds, with new ids, by writing rows and hard links of files instead of sending requests.
  - Tables and columns are found along the foreign keys. All rows are written in one transaction, and counted per tenant and table before it is committed.
  - Where the schema is not known, or a tenant holds anything else than exactly the data set, nothing is written and C(clone.reason) says why.
options:
  state:
    description: V(planned) only finds out what would be cloned, V(cloned) does it.
    type: str
    choices: [planned, cloned]
    default: cloned
  database:
    description: The database of C(target.json).
    type: dict
    required: true
  prefix:
    description: Prefix of the tenants' names.
    type: str
    required: true
  count:
    description: Number of tenants, numbered from 1. They have to exist.
    type: int
    required: true
  shape:
    description: What a tenant holds, as in M(perfscale.mlflow.data_set_info). Keys left out have the defaults of the data set.
    type: dict
    required: true
requirements:
  - psycopg (for PostgreSQL)
attributes:
  check_mode:
    description: In check mode it is V(planned).
    support: full
"""

EXAMPLES = r"""
- name: Fill 500 tenants from the one that is filled
  perfscale.mlflow.data_set_clone:
    database: "{{ target.database }}"
    prefix: tenant-
    count: 500
    shape: "{{ data_set_shape }}"
"""

RETURN = r"""
clone:
  description:
    - The keys is_possible, reason (why it is not, or null), source (number of the filled tenant, or null), tenants (how many are empty, or were
      cloned), rows, files and seconds.
  returned: success
  type: dict
"""

import time

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow import database_rows
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.clone import Levels, NotCloneableError, clone, plan
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.shape import check_shape
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.tracking_schema import open_database

NOTHING = {"is_possible": False, "reason": None, "source": None, "tenants": 0, "rows": 0, "files": 0, "seconds": 0.0}


def run(params, is_dry):
    """Return the module's clone for its options. Raises MlflowError."""
    shape = check_shape(params["shape"])
    if params["count"] == 1 or not any(shape.values()):
        return NOTHING
    if not params["database"].get("owned") or not params["database"].get("artifacts_dir"):
        return {**NOTHING, "reason": "The database of this MLflow is not one of the local stack."}
    started = time.monotonic()
    levels = Levels(params["prefix"], list(range(1, params["count"] + 1)))
    try:
        with open_database(params["database"]) as database:
            found = plan(database, levels, shape)
            result = {**NOTHING, "is_possible": True, "source": found.source, "tenants": len(found.empty)}
            if is_dry or found.source is None or not found.empty:
                return result
            names = [f"{levels.prefix}{number}" for number in found.empty]
            result |= clone(database, params["database"]["artifacts_dir"], f"{levels.prefix}{found.source}", names)
        return {**result, "seconds": round(time.monotonic() - started, 3)}
    except NotCloneableError as error:
        return {**NOTHING, "reason": str(error)}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(
        argument_spec={
            "state": {"type": "str", "choices": ["planned", "cloned"], "default": "cloned"},
            "database": {"type": "dict", "required": True},
            "prefix": {"type": "str", "required": True},
            "count": {"type": "int", "required": True},
            "shape": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    if module.params["database"].get("dsn_file") and database_rows.psycopg is None:
        module.fail_json(msg=missing_required_lib("psycopg"), exception=database_rows.PSYCOPG_ERROR)
    try:
        done = run(module.params, module.check_mode or module.params["state"] == "planned")
    except MlflowError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(done["rows"]), clone=done)


if __name__ == "__main__":
    main()
