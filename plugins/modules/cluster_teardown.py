#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delete the objects of a run from a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_teardown
short_description: Delete the objects of a run from a cluster
version_added: 0.2.0
description:
  - Deletes exactly the objects that carry the labels of a run, found by equality selectors, and waits until they are gone.
  - A namespace of the run is deleted if it holds only objects of the run and system objects; otherwise it remains and is reported with the reason.
    This needs permission to list every kind. A namespace that was only adopted remains and loses the label by which MLflow selects it.
  - Custom resources of operators are deleted by the roles that created them, before this.
author:
  - perfscale.mlflow contributors (@perfscale)
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Can run in check mode and return what would be deleted.
    support: full
  idempotent:
    description: A second call finds nothing.
    support: full
options:
  run_id:
    description: The run. Set this or O(all_runs=true).
    type: str
  all_runs:
    description: Whether the objects of all runs of this collection are deleted.
    type: bool
    default: false
  namespaces:
    description: Namespaces, besides the run's own, in which it created objects (the generator's, MLflow's).
    type: list
    elements: str
    default: []
  kinds:
    description: Kinds that are deleted.
    type: list
    elements: str
    choices:
      - TestRun
      - Deployment
      - Job
      - Pod
      - Service
      - NetworkPolicy
      - PersistentVolumeClaim
      - ConfigMap
      - Secret
      - RoleBinding
      - Role
      - ServiceAccount
      - Lease
      - ClusterRoleBinding
      - ClusterRole
      - Namespace
    default:
      - TestRun
      - Deployment
      - Job
      - Pod
      - Service
      - NetworkPolicy
      - PersistentVolumeClaim
      - ConfigMap
      - Secret
      - RoleBinding
      - Role
      - ServiceAccount
      - Lease
      - ClusterRoleBinding
      - ClusterRole
      - Namespace
  selector:
    description: The label that adopted namespaces lose. Empty means C(perfscale.mlflow/tenant=true).
    type: dict
    default: {}
  staying:
    description:
      - Objects that were found to be in use, as RV(perfscale.mlflow.cluster_objects#module:objects.remaining) returns them. They and their
        namespaces are kept and reported.
    type: list
    elements: dict
    default: []
    version_added: 0.2.0
    suboptions:
      object:
        description: Kind, namespace and name, such as C(Secret opendatahub/mlflow-tls).
        type: str
        required: true
      why:
        description: The reason.
        type: str
        required: true
      run_id:
        description: Another run of this collection that uses it. Then RV(teardown.others) has it, otherwise RV(teardown.remaining).
        type: str
        default: ''
  parallelism:
    description: Maximum number of concurrent requests, at most 32.
    type: int
    default: 16
  timeout:
    description: Seconds until all objects have to be gone.
    type: float
    default: 600.0
requirements:
  - kubernetes
"""

EXAMPLES = r"""
- name: Delete the objects of a run
  perfscale.mlflow.cluster_teardown:
    run_id: 20261124T120000Z-1a2b
    namespaces: [opendatahub]
  register: removed
  failed_when: removed.teardown.remaining | length > 0
"""

RETURN = r"""
teardown:
  description: The changes. In check mode, those that would be made.
  returned: success
  type: dict
  contains:
    deleted:
      description: Names of the deleted objects by kind, with their namespace where they have one.
      type: dict
    released:
      description: Namespaces that had been adopted and lost the label.
      type: list
      elements: str
    remaining:
      description: Objects that remain after O(timeout), those that stay, and namespaces with unmanaged objects, each with C(object) and C(why).
      type: list
      elements: dict
    others:
      description: Objects of other runs in the same namespaces, and namespaces that hold such objects. None of them is deleted. Each has C(object) and C(why).
      type: list
      elements: dict
    seconds:
      description: Duration.
      type: float
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.teardown import KINDS, tear_down
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tenants import check_parallelism


def argument_spec():
    """Return the module's options."""
    staying = {"object": {"type": "str", "required": True}, "why": {"type": "str", "required": True}, "run_id": {"type": "str", "default": ""}}
    return {
        **connection_spec(),
        "run_id": {"type": "str"},
        "all_runs": {"type": "bool", "default": False},
        "namespaces": {"type": "list", "elements": "str", "default": []},
        "kinds": {"type": "list", "elements": "str", "choices": list(KINDS), "default": list(KINDS)},
        "selector": {"type": "dict", "default": {}},
        "staying": {"type": "list", "elements": "dict", "default": [], "options": staying},
        "parallelism": {"type": "int", "default": 16},
        "timeout": {"type": "float", "default": 600.0},
    }


def run(options, check_mode):
    """Return the module's result for its options. Raises ClusterError."""
    if bool(options["run_id"]) == options["all_runs"]:
        raise ClusterError("Teardown: one run or all runs required. Set either run_id, or all_runs: true.")
    check_parallelism(options["parallelism"])
    cluster = cluster_from(options, options["parallelism"])
    try:
        done = tear_down(
            cluster,
            options["run_id"] or None,
            options["namespaces"],
            options["kinds"],
            options["selector"],
            options["parallelism"],
            options["timeout"],
            check_mode,
            options["staying"],
        )
    finally:
        cluster.close()
    return {"changed": bool(done["released"]) or any(done["deleted"].values()), "teardown": done}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(LIBRARIES), exception=MISSING)
    try:
        result = run(module.params, module.check_mode)
    except ClusterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
