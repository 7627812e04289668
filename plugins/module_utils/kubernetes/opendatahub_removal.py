# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be taken away of an Open Data Hub, and what is put back: decided by labels and by what was noted when a DataScienceCluster was adopted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.olm import name_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.opendatahub import KEY, management_state
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.opendatahub_state import State

# On a DataScienceCluster that is not ours: what its key said before, and which run changed it.
BEFORE = "perfscale.mlflow/mlflowoperator-before"
CHANGED_BY = "perfscale.mlflow/mlflowoperator-run-id"
UNSET = "unset"


def adoption_patch(dsc: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """Returns the merge patch that asks a DataScienceCluster of others for MLflow's operator and notes what it said before."""
    before = management_state(dsc) or UNSET
    return {"metadata": {"annotations": {BEFORE: before, CHANGED_BY: run_id}}, "spec": {"components": {KEY: {"managementState": "Managed"}}}}


def restoration_patch(dsc: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the merge patch that puts back what `adoption_patch` found, unless somebody set another value since."""
    before = _annotations(dsc).get(BEFORE)
    patch: dict[str, Any] = {"metadata": {"annotations": {BEFORE: None, CHANGED_BY: None}}}
    if management_state(dsc) == "Managed":
        patch["spec"] = {"components": {KEY: None if before == UNSET else {"managementState": before}}}
    return patch


def plan_removal(state: State, run_id: str) -> dict[str, Any]:
    """Returns what a teardown does, in the order of its keys, and what it leaves with the reasons.

    `run_id` chooses one run's objects, an empty one all that are ours. MLflow's operator stays while any MLflow exists, for nobody else would release that;
    a DataScienceCluster with components that somebody else switched on stays; an operator stays while it is needed.
    """
    left: list[str] = []
    dsc, dsci = state.dsc or {}, state.dsci or {}
    # A teardown that was interrupted leaves the version without its Subscription.
    operator = state.operator.subscription or next(iter(state.operator.csvs), {})
    adopted = _annotations(dsc).get(CHANGED_BY)
    restores = bool(adopted) and (not run_id or adopted == run_id)
    removes = _is_mine(dsc, run_id)
    others = [name for name, component in _components(dsc).items() if name != KEY and (component or {}).get("managementState") == "Managed"]
    if (restores or removes) and state.mlflows:
        names = ", ".join(map(name_of, state.mlflows))
        left.append(f"DataScienceCluster {name_of(dsc)}: stays as it is, because MLflow {names} still exists. Remove that first.")
        restores = removes = False
    deletes = removes and not others
    if removes and others:
        left.append(f"DataScienceCluster {name_of(dsc)}: stays, because others switched on {', '.join(sorted(others))}.")
    stays = bool(dsc) and not deletes
    deletes_dsci = _is_mine(dsci, run_id) and not stays
    if _is_mine(dsci, run_id) and stays:
        left.append(f"DSCInitialization {name_of(dsci)}: stays, because DataScienceCluster {name_of(dsc)} needs it.")
    needed = [f"DataScienceCluster {name_of(dsc)}"] if stays else []
    needed += [f"DSCInitialization {name_of(dsci)}"] if dsci and not deletes_dsci else []
    deletes_operator = _is_mine(operator, run_id) and not needed
    if _is_mine(operator, run_id) and needed:
        left.append(f"Operator {name_of(operator)}: stays, because {' and '.join(needed)} needs it.")
    return {
        "restore": restoration_patch(dsc) if restores else {},
        "disable_dsc": name_of(dsc) if removes else "",
        "delete_dsc": name_of(dsc) if deletes else "",
        "delete_dsci": name_of(dsci) if deletes_dsci else "",
        "delete_operator": name_of(operator) if deletes_operator else "",
        "left": left,
    }


def _is_mine(manifest: Mapping[str, Any], run_id: str) -> bool:
    """Returns whether an object carries our labels, and those of the run if one is named."""
    labels = (manifest.get("metadata") or {}).get("labels") or {}
    return ownership.is_ours(manifest) and (not run_id or labels.get(ownership.RUN_ID) == run_id)


def _annotations(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    """Returns the annotations of an object."""
    return (manifest.get("metadata") or {}).get("annotations") or {}


def _components(dsc: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns what a DataScienceCluster asks of its components."""
    return (dsc.get("spec") or {}).get("components") or {}
