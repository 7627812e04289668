#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: data_set_info
short_description: Get whether tenants hold a data set
version_added: 0.1.0
description:
  - Counts through MLflow's API what prefill created in each tenant and compares it with the shape of the data set.
  - Only what prefill wrote is counted, so experiments and runs that a load created do not matter.
  - A shortfall is a result, not a failure of the module.
author:
  - perfscale.mlflow contributors (@perfscale)
extends_documentation_fragment:
  - perfscale.mlflow.mlflow_connection
attributes:
  check_mode:
    description: Only reads, in check mode too.
    support: full
  diff_mode:
    description: Returns no diff.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
options:
  prefix:
    description:
      - What the tenants' names begin with.
    type: str
    default: tenant-
  count:
    description:
      - How many tenants, numbered from 1.
    type: int
  numbers:
    description:
      - The numbers of the tenants.
    type: list
    elements: int
  shape:
    description:
      - What a tenant holds. Keys left out have the defaults of the data set.
    type: dict
    suboptions:
      experiments_per_tenant:
        description: Experiments in each tenant. 10 when left out; with 0 the data set is empty and no tenant may hold another one.
        type: int
      runs_per_experiment:
        description: Runs in each experiment. 3 when left out.
        type: int
      metrics_per_run:
        description: Metrics of each run. 3 when left out.
        type: int
      params_per_run:
        description: Parameters of each run. 5 when left out.
        type: int
      artifacts_per_run:
        description: Artifacts of each run. 2 when left out.
        type: int
      prompts_per_experiment:
        description: Prompts for each experiment, with one version each. 3 when left out.
        type: int
  depth:
    description:
      - V(digest) counts in 20 tenants chosen by O(seed), or in all when there are no more.
      - V(sample) reads all details in those 20, as V(full) does, and sees whether every tenant is listed.
      - V(counts) counts in every tenant by searching.
      - V(full) also reads prompt versions and lists the artifacts of each run in 20 tenants chosen by O(seed), and downloads one artifact.
    type: str
    choices: [digest, sample, counts, full]
    default: counts
  seed:
    description:
      - Chooses the sampled tenants.
    type: int
    default: 42
  database:
    description:
      - The tracking database where it may be read directly. Its rows are counted read-only, at any depth.
    type: dict
    suboptions:
      kind:
        description: Kind of the database.
        type: str
        choices: [sqlite, postgres, unknown]
        default: unknown
      path:
        description: SQLite's file.
        type: path
      dsn_file:
        description: File with PostgreSQL's connection string, so that no password is an argument.
        type: path
notes:
  - Counting rows of PostgreSQL needs the Python package psycopg.
"""

EXAMPLES = r"""
- name: Verify the data set of 100 tenants
  perfscale.mlflow.data_set_info:
    url: http://127.0.0.1:5000
    count: 100
    depth: full
  register: found

- name: Check 20 of 500 tenants, and count the rows of the tracking database
  perfscale.mlflow.data_set_info:
    url: http://127.0.0.1:5000
    count: 500
    depth: digest
    database:
      kind: sqlite
      path: /var/lib/mlflow/mlflow.db
"""

RETURN = r"""
data_set:
  description: What the tenants hold of the data set.
  returned: success
  type: dict
  contains:
    digest:
      description: Identifies the data set. It depends on the shape, not on the number of tenants.
      type: str
      sample: 2f1d6c0a9b3e
    shape:
      description: The whole shape, with defaults.
      type: dict
    checked:
      description: Number of checked tenants.
      type: int
    complete:
      description: Names of checked tenants that hold all of it.
      type: list
      elements: str
    missing:
      description: Names of checked tenants that hold nothing of it.
      type: list
      elements: str
    partial:
      description: Names of checked tenants whose counts differ otherwise.
      type: list
      elements: str
    incomplete_numbers:
      description: Numbers of the missing and partial tenants.
      type: list
      elements: int
    shortfalls:
      description: Every difference, by tenant.
      type: list
      elements: dict
      sample: [{tenant: tenant-2, what: runs, expected: 30, found: 29}]
    counts:
      description: Sums over the checked tenants, by kind. What only the full depth reads is summed over the sampled tenants.
      type: dict
    surplus_runs:
      description: Runs of the data set that are unfinished or exist twice. They are not counted.
      type: int
    list_workspaces:
      description: All visible workspaces, MLflow's own C(default) too.
      type: list
      elements: str
    foreign_workspaces:
      description: Visible workspaces that are neither one of the tenants nor MLflow's own C(default).
      type: list
      elements: str
    rows:
      description: Rows by table, or null without a database that may be read.
      type: dict
    bytes:
      description: Size of that database in bytes, or null.
      type: int
    work:
      description: What a PostgreSQL has done in it since its statistics began, by counter, or null.
      type: dict
    verified:
      description: Whether tenants were checked and none differs.
      type: bool
    message:
      description: One sentence that names the first differences.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import URLLIB3_ERROR
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow import database_rows
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import client_from, connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.data_set import DEPTHS, inspect
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.shape import DEFAULTS, check_shape
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import tenant_numbers


def argument_spec():
    """Return the module's options."""
    return {
        **connection_spec(),
        "prefix": {"type": "str", "default": "tenant-"},
        "count": {"type": "int"},
        "numbers": {"type": "list", "elements": "int"},
        "shape": {"type": "dict", "options": {key: {"type": "int"} for key in DEFAULTS}},
        "depth": {"type": "str", "choices": list(DEPTHS), "default": "counts"},
        "seed": {"type": "int", "default": 42},
        "database": {
            "type": "dict",
            "options": {
                "kind": {"type": "str", "choices": ["sqlite", "postgres", "unknown"], "default": "unknown"},
                "path": {"type": "path"},
                "dsn_file": {"type": "path"},
            },
        },
    }


def run(options):
    """Return the module's result for its options. Raises MlflowError."""
    shape = check_shape(options["shape"] or {})
    numbers = tenant_numbers(options)
    client = client_from(options)
    try:
        found = inspect(client, options["prefix"], numbers, shape, options["depth"], options["seed"], options["parallelism"])
    finally:
        client.close()
    database = options["database"]
    counted = {"rows": database_rows.count_rows(database), "bytes": database_rows.count_bytes(database), "work": database_rows.count_work(database)}
    return {"changed": False, "data_set": {**found, **counted}}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(
        argument_spec=argument_spec(),
        mutually_exclusive=[("numbers", "count")],
        required_one_of=[("numbers", "count")],
        supports_check_mode=True,
    )
    if URLLIB3_ERROR:
        module.fail_json(msg=missing_required_lib("urllib3"), exception=URLLIB3_ERROR)
    if (module.params["database"] or {}).get("kind") == "postgres" and database_rows.psycopg is None:
        module.fail_json(msg=missing_required_lib("psycopg"), exception=database_rows.PSYCOPG_ERROR)
    try:
        result = run(module.params)
    except MlflowError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
