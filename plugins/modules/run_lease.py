#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets one run at a time use a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_lease
short_description: Let one run at a time use a cluster
version_added: 0.2.0
description:
  - Holds a Lease for a run, or gives it back. A Lease that another live run holds is an error that names that run and until when it holds.
  - The run that holds it renews it. One that has expired is taken over. All times are the API server's.
author:
  - perfscale.mlflow contributors (@perfscale)
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Looks whether the Lease could be held and writes nothing.
    support: full
  idempotent:
    description: Holding it renews it each time.
    support: none
options:
  state:
    description:
      - V(held) takes or renews it.
      - V(released) removes it if this run holds it.
    type: str
    choices: [held, released]
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
    description: How long it is held from now on. A renewal never shortens what was held before.
    type: int
    default: 900
requirements:
  - kubernetes
"""

EXAMPLES = r"""
- name: Hold the cluster for the next cell
  perfscale.mlflow.run_lease:
    namespace: opendatahub
    run_id: "{{ run_id }}"
    seconds: 1500
"""

RETURN = r"""
lease:
  description: Who holds the Lease now, an empty text in C(holder) when nobody of this run does.
  returned: success
  type: dict
  contains:
    holder:
      description: The run that holds it.
      type: str
    until:
      description: When it ends, in epoch seconds. Null when it is not held.
      type: float
    until_at:
      description: When it ends as text, in UTC.
      type: str
    taken_over:
      description: The run that held it before and let it expire.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, auth_spec, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.run_lease import NAME, hold, release


def argument_spec():
    """Returns the module's options."""
    return {
        **auth_spec(),
        "state": {"type": "str", "choices": ["held", "released"], "default": "held"},
        "namespace": {"type": "str", "required": True},
        "name": {"type": "str", "default": NAME},
        "run_id": {"type": "str", "required": True},
        "seconds": {"type": "int", "default": 900},
    }


def run(options, check_mode):
    """Returns the module's result for its options. Raises ClusterError."""
    cluster = cluster_from(options)
    place = (options["namespace"], options["run_id"])
    try:
        if options["state"] == "held":
            return {"changed": True, "lease": hold(cluster, *place, options["seconds"], options["name"], check_mode)}
        changed = release(cluster, *place, options["name"], check_mode)
        return {"changed": changed, "lease": {"holder": "", "until": None, "until_at": "", "taken_over": ""}}
    finally:
        cluster.close()


def main():
    """Runs the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(LIBRARIES), exception=MISSING)
    try:
        result = run(module.params, module.check_mode)
    except ClusterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
