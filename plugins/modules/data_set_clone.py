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
extends_documentation_fragment:
  - perfscale.mlflow.clone
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

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow import database_rows
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.clone import NOTHING, OPTIONS, fill, tenants_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError


def run(params, is_dry):
    """Return the module's clone for its options. Raises MlflowError."""
    tenants = tenants_of(params, is_dry)
    if tenants is None:
        return NOTHING
    database = params["database"]
    if not database.get("owned") or not database.get("artifacts_dir"):
        return {**NOTHING, "reason": "The database of this MLflow is not one of the local stack."}
    return fill(database, database["artifacts_dir"], **tenants)


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=OPTIONS, supports_check_mode=True)
    if module.params["database"].get("dsn_file") and database_rows.psycopg is None:
        module.fail_json(msg=missing_required_lib("psycopg"), exception=database_rows.PSYCOPG_ERROR)
    try:
        done = run(module.params, module.check_mode)
    except MlflowError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(done["rows"]), clone=done)


if __name__ == "__main__":
    main()
