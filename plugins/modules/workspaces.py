#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workspaces
short_description: Create tenants (MLflow workspaces)
version_added: 0.1.0
description:
  - Lists the workspaces of an MLflow server, creates the missing ones with bounded parallelism and waits until each one is listed
    and responds to a request of its own.
  - Created workspaces are marked by their description. One that exists without the mark is an error, unless O(adopt=true).
  - Where namespaces of a cluster are the workspaces, M(perfscale.mlflow.workspace_namespaces) creates them, and this module only waits until MLflow shows them.
  - Never deletes or changes a workspace.
author:
  - perfscale.mlflow contributors (@perfscale)
extends_documentation_fragment:
  - perfscale.mlflow.mlflow_connection
attributes:
  check_mode:
    description: Can run in check mode and returns what would be created.
    support: full
  diff_mode:
    description: Returns no diff.
    support: none
  idempotent:
    description: A second call creates nothing.
    support: full
options:
  names:
    description:
      - Names of the workspaces.
    type: list
    elements: str
  prefix:
    description:
      - Prefix of the names, followed by the numbers 1 to O(count).
    type: str
    default: tenant-
  count:
    description:
      - How many workspaces, numbered from 1.
    type: int
  backend:
    description:
      - How workspaces are created. V(api) creates them through MLflow's API (SQL workspace store).
      - V(namespace) creates none and waits until MLflow lists the namespaces of the cluster for the token.
    type: str
    choices: [api, namespace]
    default: api
  adopt:
    description:
      - Whether existing workspaces that this module did not create may be used.
    type: bool
    default: false
  gone:
    description:
      - With O(backend=namespace), workspaces that MLflow should no longer list. The module waits at most 15 seconds until they are gone; after that they are
        in RV(workspaces.extra).
    type: list
    elements: str
    default: []
    version_added: 0.2.0
  timeout:
    description:
      - Seconds until all workspaces have to be ready.
    type: float
    default: 300.0
  state:
    description:
      - V(present) is the only state. Unmanaged data is never deleted through this module.
    type: str
    choices: [present]
    default: present
"""

EXAMPLES = r"""
- name: Create five tenants
  perfscale.mlflow.workspaces:
    url: http://127.0.0.1:5000
    count: 5

- name: Get the tenants that are gone
  perfscale.mlflow.workspaces:
    url: http://127.0.0.1:5000
    count: 5
    adopt: true
  check_mode: true
  register: seen

- name: Create 500 tenants behind a gateway
  perfscale.mlflow.workspaces:
    url: https://gateway.example.com/mlflow
    token_file: /run/secrets/mlflow-token
    ca_file: /run/secrets/ca.pem
    prefix: load-
    count: 500
    parallelism: 16
"""

RETURN = r"""
workspaces:
  description: The workspaces. In check mode RV(workspaces.created) is what would be created.
  returned: success
  type: dict
  contains:
    requested:
      description: Number of requested workspaces.
      type: int
      sample: 5
    created:
      description: Names that were missing and have been created.
      type: list
      elements: str
    existing:
      description: Names that were there before.
      type: list
      elements: str
    missing:
      description: Names that are not there now. In check mode this tells whether tenants are gone, by one request.
      type: list
      elements: str
    extra:
      description: Other visible workspaces, without MLflow's own C(default).
      type: list
      elements: str
    ready:
      description: Whether every requested workspace was listed and responded to a request.
      type: bool
    seconds:
      description: Duration.
      type: float
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import URLLIB3_ERROR
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import client_from, connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import (
    ensure_workspaces,
    tenant_names,
    tenant_numbers,
    wait_for_workspaces,
)


def argument_spec():
    """Return the module's options."""
    return {
        **connection_spec(),
        "names": {"type": "list", "elements": "str"},
        "prefix": {"type": "str", "default": "tenant-"},
        "count": {"type": "int"},
        "backend": {"type": "str", "choices": ["api", "namespace"], "default": "api"},
        "adopt": {"type": "bool", "default": False},
        "gone": {"type": "list", "elements": "str", "default": []},
        "timeout": {"type": "float", "default": 300.0},
        "state": {"type": "str", "choices": ["present"], "default": "present"},
    }


def run(options, check_mode):
    """Return the module's result for its options. Raises MlflowError."""
    names = options["names"] if options["names"] is not None else tenant_names(options["prefix"], tenant_numbers(options))
    client = client_from(options)
    try:
        if options["backend"] == "namespace":
            found = wait_for_workspaces(client, names, options["parallelism"], options["timeout"], options["gone"], check_mode)
        else:
            found = ensure_workspaces(client, names, options["parallelism"], options["timeout"], options["adopt"], check_mode)
    finally:
        client.close()
    return {"changed": bool(found["created"]), "workspaces": found}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(
        argument_spec=argument_spec(),
        mutually_exclusive=[("names", "count")],
        required_one_of=[("names", "count")],
        supports_check_mode=True,
    )
    if URLLIB3_ERROR:
        module.fail_json(msg=missing_required_lib("urllib3"), exception=URLLIB3_ERROR)
    try:
        result = run(module.params, module.check_mode)
    except MlflowError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
