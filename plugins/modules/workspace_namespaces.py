#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create tenants as namespaces of a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: workspace_namespaces
short_description: Create tenants as namespaces of a cluster
version_added: 0.2.0
description:
  - Where MLflow uses namespaces as workspaces, a tenant is a namespace with RoleBindings. This module creates hundreds of them in one call,
    with bounded parallelism, and changes only what is missing. M(perfscale.mlflow.workspaces) with C(backend=namespace) then sees them through MLflow.
  - Bindings come before the label by which MLflow selects its workspaces, since MLflow caches denials for some minutes.
  - Other tenants of this collection lose that label and keep everything else, so a smaller level needs no deletion.
  - An unmanaged namespace is an error, unless O(adopt=true). One that is being deleted is waited for.
author:
  - perfscale.mlflow contributors (@perfscale)
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Can run in check mode and returns what would change.
    support: full
  idempotent:
    description: A second call changes nothing.
    support: full
options:
  names:
    description: Names of the tenants.
    type: list
    elements: str
  prefix:
    description: Prefix of the names, followed by the numbers 1 to O(count).
    type: str
    default: tenant-
  count:
    description: How many tenants, numbered from 1.
    type: int
  run_id:
    description: The run that labels what is created. Objects of an earlier run are used and not relabelled.
    type: str
    required: true
  selector:
    description:
      - The label by which MLflow selects its workspaces (C(spec.workspaceLabelSelector.matchLabels) of its custom resource).
      - Empty means C(perfscale.mlflow/tenant=true).
    type: dict
    default: {}
  cluster_roles:
    description: ClusterRoles that are bound in every tenant.
    type: list
    elements: str
    default: [mlflow-operator-mlflow-integration]
  service_account:
    description: Service account that gets the roles in all tenants. It does not have to exist yet.
    type: dict
    suboptions:
      namespace:
        description: Its namespace.
        type: str
        required: true
      name:
        description: Its name.
        type: str
        required: true
  tenant_service_account:
    description: Name of a service account that is created in each tenant and gets the roles there. Empty creates none.
    type: str
    default: ''
  adopt:
    description: Whether unmanaged namespaces may be used. They get the label and the bindings, and are never deleted.
    type: bool
    default: false
  parallelism:
    description: Maximum number of concurrent requests, at most 32.
    type: int
    default: 16
  timeout:
    description: Seconds to wait for namespaces that are being deleted.
    type: float
    default: 300.0
requirements:
  - kubernetes
"""

EXAMPLES = r"""
- name: Create 500 tenants for one service account
  perfscale.mlflow.workspace_namespaces:
    count: 500
    run_id: "{{ run_id }}"
    service_account:
      namespace: opendatahub
      name: perfscale-mlflow-load

- name: Create ten tenants, each with a service account of its own
  perfscale.mlflow.workspace_namespaces:
    count: 10
    run_id: "{{ run_id }}"
    tenant_service_account: perfscale-mlflow-load
"""

RETURN = r"""
workspaces:
  description: The tenants and changes. In check mode, the changes that would be made.
  returned: success
  type: dict
  contains:
    requested:
      description: Number of requested tenants.
      type: int
      sample: 500
    created:
      description: Names that were missing and have been created.
      type: list
      elements: str
    existing:
      description: Names that were there before.
      type: list
      elements: str
    extra:
      description: Namespaces that others gave the label by which MLflow selects.
      type: list
      elements: str
    selected:
      description: Names that were there and got the label.
      type: list
      elements: str
    unselected:
      description: Other tenants of this collection that lost the label.
      type: list
      elements: str
    accounts:
      description: Number of service accounts that were created.
      type: int
    bindings:
      description: Number of RoleBindings that were created, changed or deleted.
      type: int
    ready:
      description: Whether all tenants are as requested.
      type: bool
    seconds:
      description: Duration.
      type: float
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tenants import SELECTOR, TenantSpec, check_parallelism, ensure_tenants
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import tenant_names, tenant_numbers


def argument_spec():
    """Return the module's options."""
    return {
        **connection_spec(),
        "names": {"type": "list", "elements": "str"},
        "prefix": {"type": "str", "default": "tenant-"},
        "count": {"type": "int"},
        "run_id": {"type": "str", "required": True},
        "selector": {"type": "dict", "default": {}},
        "cluster_roles": {"type": "list", "elements": "str", "default": ["mlflow-operator-mlflow-integration"]},
        "service_account": {
            "type": "dict",
            "options": {"namespace": {"type": "str", "required": True}, "name": {"type": "str", "required": True}},
        },
        "tenant_service_account": {"type": "str", "default": ""},
        "adopt": {"type": "bool", "default": False},
        "parallelism": {"type": "int", "default": 16},
        "timeout": {"type": "float", "default": 300.0},
    }


def spec_from(options):
    """Return the requested tenants. Raises MlflowError for names and numbers, ClusterError for a parallelism, that cannot be used."""
    check_parallelism(options["parallelism"])
    shared = options["service_account"]
    return TenantSpec(
        names=options["names"] if options["names"] is not None else tenant_names(options["prefix"], tenant_numbers(options)),
        run_id=options["run_id"],
        selector=options["selector"] or SELECTOR,
        roles=tuple(options["cluster_roles"]),
        shared=(shared["namespace"], shared["name"]) if shared else None,
        own=options["tenant_service_account"] or None,
    )


def run(options, check_mode):
    """Return the module's result for its options. Raises ClusterError or MlflowError."""
    spec = spec_from(options)
    cluster = cluster_from(options, options["parallelism"])
    try:
        found = ensure_tenants(cluster, spec, options["parallelism"], options["timeout"], options["adopt"], check_mode)
    finally:
        cluster.close()
    changed = any(found[key] for key in ("created", "selected", "unselected", "accounts", "bindings"))
    return {"changed": changed, "workspaces": found}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(
        argument_spec=argument_spec(),
        mutually_exclusive=[("names", "count")],
        required_one_of=[("names", "count")],
        supports_check_mode=True,
    )
    if MISSING:
        module.fail_json(msg=missing_required_lib(LIBRARIES), exception=MISSING)
    try:
        result = run(module.params, module.check_mode)
    except (ClusterError, MlflowError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
