#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: multiply the data set of one tenant inside the database and artifact store of a managed MLflow in a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_data_set_clone
version_added: 0.2.0
short_description: Multiply the data set of one tenant inside a managed MLflow in a cluster
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - As M(perfscale.mlflow.data_set_clone), for an MLflow with the PostgreSQL that role C(postgresql) made in a cluster.
  - A Job with the image, on the node and with the volume of MLflow connects to PostgreSQL as the database's owner, and writes rows and hard links.
  - Where artifacts are not in a volume that a Job can mount, or the image has no driver of PostgreSQL, nothing is written and C(clone.reason) says why.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
  - perfscale.mlflow.clone
options:
  mlflow_pods:
    description: The pods of MLflow, as C(components.mlflow) of C(target.json) has them.
    type: dict
    required: true
  run_id:
    description: The run, with which Jobs are labelled.
    type: str
    required: true
requirements:
  - kubernetes
attributes:
  check_mode:
    description: In check mode no Job is created, and nothing is reported as possible.
    support: full
"""

EXAMPLES = r"""
- name: Fill 500 namespaces from the one that is filled
  perfscale.mlflow.cluster_data_set_clone:
    database: "{{ target.database }}"
    mlflow_pods: "{{ target.components.mlflow }}"
    run_id: run-1
    prefix: tenant-
    count: 500
    shape: "{{ data_set_shape }}"
"""

RETURN = r"""
clone:
  description: The keys of C(clone) that M(perfscale.mlflow.data_set_clone) returns.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.clones import fill
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.clone import NOTHING, OPTIONS, tenants_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError


def argument_spec():
    """Return the module's options."""
    return {**connection_spec(), **OPTIONS, "mlflow_pods": {"type": "dict", "required": True}, "run_id": {"type": "str", "required": True}}


def run(params):
    """Return the module's clone for its options. Raises MlflowError and ClusterError."""
    tenants = tenants_of(params, is_dry=False)
    if tenants is None:
        return NOTHING
    cluster = cluster_from(params)
    try:
        return fill(cluster, params["database"], params["mlflow_pods"], params["run_id"], tenants)
    finally:
        cluster.close()


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(LIBRARIES), exception=MISSING)
    if module.check_mode:
        module.exit_json(changed=False, clone=NOTHING)
    try:
        done = run(module.params)
    except (MlflowError, ClusterError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(done["rows"]), clone=done)


if __name__ == "__main__":
    main()
