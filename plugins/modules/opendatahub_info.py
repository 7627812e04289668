#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Return the state of Open Data Hub (or RHOAI) on a cluster, and wait with a limit for an expected one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: opendatahub_info
version_added: 0.2.0
short_description: Get the state of Open Data Hub, and wait for an expected one
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Reads OLM's objects of the operator, C(DSCInitialization), C(DataScienceCluster) and MLflow's operator at once, and returns the obstacles to a deployment.
  - With O(expect) repeats that until the expectation is met, a permanent failure shows, or the time is up; then fails with the conditions seen last.
  - A condition alone is no evidence here. C(Ready) may belong to the former generation, and does not consider Deployments.
  - Components other than MLflow's operator may be broken; they are listed and not waited for.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Only reads.
    support: full
options:
  expect:
    description:
      - V(nothing) checks once.
      - V(install_plan) waits until OLM has decided what to install. Fails when a plan that needs approval holds more than the requested CSV.
      - V(operator) waits until the CSV has succeeded, its Deployments are available, and both custom resource definitions serve v2.
      - V(dsci_present) waits until there is a C(DSCInitialization), V(dsci) until it is ready.
      - V(mlflow_operator) waits until Open Data Hub runs MLflow's operator, V(mlflow_operator_absent) until its C(MLflowOperator) is gone.
    type: str
    choices: [nothing, install_plan, operator, dsci_present, dsci, mlflow_operator, mlflow_operator_absent]
    default: nothing
  required:
    description: Whether the module fails when the expectation is not met. Otherwise C(ready) is false.
    type: bool
    default: true
  timeout_s:
    description: Longest wait in seconds.
    type: float
    default: 600
  pause_s:
    description: Seconds between two checks.
    type: float
    default: 2
  applications_namespace:
    description: Namespace of MLflow and its operator.
    type: str
    default: opendatahub
  package:
    description: Name of the operator's package.
    type: str
    default: opendatahub-operator
  operator_namespace:
    description: Namespace into which it would be installed.
    type: str
    default: opendatahub-operator-system
  channel:
    description: Channel of the package.
    type: str
    default: fast-3
  source:
    description: Catalog that offers the package.
    type: str
    default: community-operators
  source_namespace:
    description: Namespace of the catalog.
    type: str
    default: openshift-marketplace
  starting_csv:
    description: The version to install, as the name of its CSV. Empty takes what the channel offers.
    type: str
    default: ''
  olm:
    description: Whether OLM's objects are read. Without it an operator is detected by its custom resource definitions alone, and fewer permissions are needed.
    type: bool
    default: true
  install:
    description: Whether an absent operator is going to be installed. Anything that would prevent this is then an obstacle.
    type: bool
    default: true
  accept_missing_status:
    description: Whether MLflow's operator is ready by its Deployment when it never writes the status that Open Data Hub waits for, as early builds do not.
    type: bool
    default: false
  run_id:
    description: The run whose objects a removal deletes. Empty means all that are ours.
    type: str
    default: ''
requirements:
  - kubernetes
"""

EXAMPLES = r"""
- name: Get the state of Open Data Hub
  perfscale.mlflow.opendatahub_info:
  register: found

- name: Wait for MLflow's operator
  perfscale.mlflow.opendatahub_info:
    expect: mlflow_operator
    timeout_s: 900
"""

RETURN = r"""
opendatahub:
  description: The last observed state.
  returned: success
  type: dict
  contains:
    ready:
      description: Whether the expectation is met. True without one.
      type: bool
    waiting_for:
      description: What is still missing.
      type: list
      elements: str
    problems:
      description: Failures that ended the wait.
      type: list
      elements: str
    seconds:
      description: Duration of the wait.
      type: float
    last_seen:
      description: Phases and unmet conditions, by object.
      type: list
      elements: str
    obstacles:
      description: Why a deployment is impossible, each with its remedy. Empty when it is possible.
      type: list
      elements: str
    operator:
      description:
        - OLM's objects of the operator. C(installed), C(namespace), C(subscription), C(csv), C(version), C(operator_groups).
        - C(owned) and C(csv_owned) are true if the Subscription and the CSV are ours, C(run_id) is the run that subscribed.
        - C(install_plan) is the plan that waits for our approval, or empty.
      type: dict
    applications_namespace:
      description: Where the C(DSCInitialization) puts applications, or empty.
      type: str
    dsci:
      description: Its C(name), empty for none, and whether it is C(owned) by us.
      type: dict
    dsc:
      description: Its C(name), empty for none, whether it is C(owned) by us, and C(management_state) as set for MLflow's operator.
      type: dict
    mlflow_operator:
      description:
        - Whether its C(MLflowOperator) is C(present) and C(deleting), the C(releases) it reports, and C(image), C(version) and C(version_source) of its
          Deployment.
      type: dict
    release:
      description: C(name) and C(version) of the platform.
      type: dict
    other_problems:
      description: Unmet conditions of other components.
      type: list
      elements: str
    adoption:
      description: The merge patch that enables MLflow's operator in an existing C(DataScienceCluster) and records the former value.
      type: dict
    removal:
      description:
        - What a teardown deletes and restores for O(run_id), and in C(left) what it leaves. Entries are C(object), C(why) and C(run_id), which is another run
          of this collection that is the reason, or empty.
      type: dict
"""

from functools import partial

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.readiness import Outcome, Readiness, wait
from ansible_collections.perfscale.mlflow.plugins.module_utils.platform.opendatahub import CHECKS, check_mlflow_operator, facts, last_seen, obstacles
from ansible_collections.perfscale.mlflow.plugins.module_utils.platform.opendatahub_state import Request, adoption_patch, plan_removal, read

DEFAULTS = {
    "applications_namespace": "opendatahub",
    "package": "opendatahub-operator",
    "operator_namespace": "opendatahub-operator-system",
    "channel": "fast-3",
    "source": "community-operators",
    "source_namespace": "openshift-marketplace",
    "starting_csv": "",
}


def argument_spec():
    """Return the module's options."""
    return {
        **connection_spec(),
        "expect": {"type": "str", "choices": ["nothing", *CHECKS], "default": "nothing"},
        "required": {"type": "bool", "default": True},
        "timeout_s": {"type": "float", "default": 600},
        "pause_s": {"type": "float", "default": 2},
        **{name: {"type": "str", "default": default} for name, default in DEFAULTS.items()},
        "olm": {"type": "bool", "default": True},
        "install": {"type": "bool", "default": True},
        "accept_missing_status": {"type": "bool", "default": False},
        "run_id": {"type": "str", "default": ""},
    }


def run(options, cluster):
    """Return the observed state. Raises ClusterError, also when a required expectation is not met: what happened, what was seen last, what to do."""
    request = Request(**{name: options[name] for name in DEFAULTS}, olm=options["olm"])
    expect = options["expect"]
    check = {**CHECKS, "mlflow_operator": partial(check_mlflow_operator, accept_missing_status=options["accept_missing_status"])}.get(expect)
    if check is None:
        state, outcome = read(cluster, request), Outcome(Readiness(), 0.0, "ready")
    else:
        state, outcome = wait(lambda: read(cluster, request), lambda seen: check(seen, request), options["timeout_s"], options["pause_s"])
    if state is None:
        raise ClusterError(outcome.readiness.waiting_for[0])
    seen = last_seen(state)
    if outcome.ended != "ready" and options["required"]:
        raise ClusterError(failure(expect, outcome, seen))
    return {
        **facts(state),
        "ready": outcome.ended == "ready",
        "waiting_for": outcome.readiness.waiting_for,
        "problems": [*outcome.readiness.problems, *outcome.readiness.doubts],
        "seconds": round(outcome.seconds, 1),
        "last_seen": seen,
        "obstacles": obstacles(state, request, options["install"]),
        "adoption": adoption_patch(state.dsc, options["run_id"]) if state.dsc else {},
        "removal": plan_removal(state, options["run_id"]),
    }


def failure(expect, outcome, seen):
    """Return the sentence for an expectation that is not met."""
    readiness = outcome.readiness
    last = f" Last seen: {'; '.join(seen)}." if seen else ""
    if outcome.ended == "problem":
        return f"Open Data Hub, {expect}: failed. {' '.join([*readiness.problems, *readiness.doubts])}{last}"
    missing = "; ".join([*readiness.waiting_for, *readiness.doubts])
    remedy = "Check these, the events of the namespaces and the operator's log, or set a longer opendatahub_timeout_s."
    return f"Open Data Hub, {expect}: not ready after {outcome.seconds:.0f} s, still waiting for {missing}.{last} {remedy}"


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(LIBRARIES), exception=MISSING)
    try:
        found = run(module.params, cluster_from(module.params))
    except ClusterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, opendatahub=found)


if __name__ == "__main__":
    main()
