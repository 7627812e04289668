#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acquire or release the Lease by which one run at a time uses a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_lease
short_description: Acquire or release the Lease of a run
version_added: 0.2.0
description:
  - Acquires a Lease for a run, or releases it, so that one run at a time uses a cluster.
  - A Lease that another run holds is an error that names that run and the expiry.
  - The holder renews it for each of its steps. An expired one is taken over, unless a load of its run still goes on in a pod of the same namespace.
    All times are the API server's.
author:
  - perfscale.mlflow contributors (@perfscale)
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Checks whether the Lease could be acquired and writes nothing.
    support: full
  idempotent:
    description: Holding it renews it each time.
    support: none
options:
  state:
    description:
      - V(held) acquires or renews it.
      - V(released) deletes it if this run holds it.
      - V(expired) ends it now if this run holds it. The name of the run stays in it, so that the run can be resumed.
    type: str
    choices: [held, released, expired]
    default: held
  namespace:
    description: Namespace of the Lease, the load generator's.
    type: str
    required: true
  name:
    description: Name of the Lease.
    type: str
    default: perfscale-mlflow
  run_id:
    description: The run.
    type: str
    required: true
  seconds:
    description: Duration from now on, the limit of the step that follows.
    type: int
    default: 900
requirements:
  - kubernetes
"""

EXAMPLES = r"""
- name: Acquire the cluster lease for the next cell
  perfscale.mlflow.run_lease:
    namespace: opendatahub
    run_id: "{{ run_id }}"
    seconds: 1500
"""

RETURN = r"""
lease:
  description: The holder of the Lease; C(holder) is empty when it was released or ended.
  returned: success
  type: dict
  contains:
    holder:
      description: The run that holds it.
      type: str
    until:
      description: Expiry in epoch seconds. Null when it is not held.
      type: float
    until_at:
      description: Expiry as text, in UTC.
      type: str
    taken_over:
      description: The former holder, if its Lease had expired.
      type: str
    was_held:
      description: Whether this run had held it until now without interruption.
      type: bool
"""

from functools import partial

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_lifecycle import running_load
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.lease import NAME, acquire, expire, release
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec


def argument_spec():
    """Return the module's options."""
    return {
        **connection_spec(),
        "state": {"type": "str", "choices": ["held", "released", "expired"], "default": "held"},
        "namespace": {"type": "str", "required": True},
        "name": {"type": "str", "default": NAME},
        "run_id": {"type": "str", "required": True},
        "seconds": {"type": "int", "default": 900},
    }


def run(options, check_mode):
    """Return the module's result for its options. Raises ClusterError."""
    cluster = cluster_from(options)
    lease_of = (options["namespace"], options["run_id"])
    try:
        if options["state"] == "held":
            find = partial(running_load, cluster, options["namespace"])
            return {"changed": True, "lease": acquire(cluster, *lease_of, options["seconds"], options["name"], check_mode, find)}
        end = release if options["state"] == "released" else expire
        changed = end(cluster, *lease_of, options["name"], check_mode)
        return {"changed": changed, "lease": {"holder": "", "until": None, "until_at": "", "taken_over": "", "was_held": changed}}
    finally:
        cluster.close()


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
