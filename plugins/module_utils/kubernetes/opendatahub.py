# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look at Open Data Hub says: what stands in the way, what is still waited for, and what was last seen. Pure, over plain data.

The rules were seen with opendatahub-operator v3.5.0. Two of them surprise: a plain wait for Ready passes on a status that is older than the change
(observedGeneration tells), and Ready trusts the component's word without looking at its Deployment. Messages may be stale and decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import conditions, olm, ownership, pods
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.olm import name_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.opendatahub_state import (
    DSC_CRD,
    DSCI_CRD,
    MLFLOW_CRD,
    MLFLOW_OPERATOR,
    MLFLOW_OPERATOR_DEPLOYMENT,
    State,
    Wanted,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.waiting import Verdict

KEY = "mlflowoperator"
# Where each package puts its applications unless told otherwise; another namespace must be labelled before the operator starts.
USUAL_NAMESPACES = {"opendatahub-operator": "opendatahub", "rhods-operator": "redhat-ods-applications"}
APPLICATIONS_LABEL = "opendatahub.io/application-namespace"


def management_state(dsc: Mapping[str, Any] | None) -> str:
    """Returns what a DataScienceCluster asks of MLflow's operator: Managed, Removed, or empty when it does not say."""
    components = ((dsc or {}).get("spec") or {}).get("components") or {}
    return (components.get(KEY) or {}).get("managementState") or ""


def applications_namespace(dsci: Mapping[str, Any] | None) -> str:
    """Returns the namespace where a DSCInitialization puts applications, empty for none."""
    return ((dsci or {}).get("spec") or {}).get("applicationsNamespace") or ""


def is_deleting(manifest: Mapping[str, Any] | None) -> bool:
    """Returns whether an object is on its way out."""
    return bool(((manifest or {}).get("metadata") or {}).get("deletionTimestamp"))


def serves_v2(crd: Mapping[str, Any] | None) -> bool:
    """Returns whether a CRD is established and serves v2."""
    versions = ((crd or {}).get("spec") or {}).get("versions") or []
    return conditions.is_true(crd, "Established") and any(version.get("name") == "v2" and version.get("served") for version in versions)


def knows_mlflow(crd: Mapping[str, Any] | None) -> bool:
    """Returns whether the schema of DataScienceCluster v2 has the key of MLflow's operator; an unknown key would be dropped with a mere warning."""
    versions = ((crd or {}).get("spec") or {}).get("versions") or []
    schema: Any = next((version for version in versions if version.get("name") == "v2"), {})
    for step in ("schema", "openAPIV3Schema", "properties", "spec", "properties", "components", "properties"):
        schema = schema.get(step) or {}
    return KEY in schema


def is_installed(state: State) -> bool:
    """Returns whether there is an operator, or one on its way, whoever installs it."""
    return bool(state.operator.subscription or state.operator.csvs or state.crds[DSC_CRD])


def obstacles(state: State, wanted: Wanted, install: bool) -> list[str]:
    """Returns every reason why the role cannot do what is asked, before it changes anything."""
    found: list[str] = []
    if not is_installed(state):
        found += _cannot_install(state, wanted, install)
    crd = state.crds[DSC_CRD]
    if crd is not None and not (serves_v2(crd) and knows_mlflow(crd)):
        found.append(f"CustomResourceDefinition {DSC_CRD}: has no version v2 with the component {KEY}. Install Open Data Hub 3.2 or newer.")
    for kind, manifests in (("DSCInitialization", state.dscis), ("DataScienceCluster", state.dscs)):
        if len(manifests) > 1:
            found.append(f"{kind} {', '.join(map(name_of, manifests))}: there may be only one. Remove what is too many.")
    placed = applications_namespace(state.dsci)
    if placed and placed != wanted.applications_namespace:
        found.append(
            f"DSCInitialization {name_of(state.dsci)}: puts applications into {placed}, not {wanted.applications_namespace}, and cannot be changed. "
            f"Set opendatahub_applications_namespace to {placed}."
        )
    if state.mlflows and management_state(state.dsc) != "Managed" and state.mlflow_deployment is not None:
        found.append(
            f"Deployment {MLFLOW_OPERATOR_DEPLOYMENT}: manages MLflow {name_of(state.mlflows[0])} already, outside of Open Data Hub. "
            "Use it as it is (role mlflow_operator), or remove it first."
        )
    return found


def _cannot_install(state: State, wanted: Wanted, install: bool) -> list[str]:
    """Returns why an absent operator cannot be installed."""
    if not install or not wanted.olm:
        return ["Open Data Hub: no operator is there, and none may be installed. Install one, or set opendatahub_install_operator to true."]
    if not state.operator.served:
        return [
            "Open Data Hub: no operator is there, and the cluster has no Operator Lifecycle Manager to install one. "
            "Use the inventory for plain Kubernetes, or install the operator first."
        ]
    found = olm.offer_problems(state.operator.package, wanted.package, wanted.source, wanted.channel, wanted.starting_csv)
    namespace = state.applications_namespace
    unusual = wanted.applications_namespace != USUAL_NAMESPACES.get(wanted.package)
    labels = ((namespace or {}).get("metadata") or {}).get("labels") or {}
    if unusual and namespace is not None and labels.get(APPLICATIONS_LABEL) != "true":
        found.append(
            f"Namespace {wanted.applications_namespace}: exists without the label {APPLICATIONS_LABEL}=true, which the operator reads when it starts. "
            "Set the label, or choose another opendatahub_applications_namespace."
        )
    return found


def judge_plan(state: State, wanted: Wanted) -> Verdict:
    """Says whether OLM knows what to install."""
    return olm.judge_plan(state.operator.subscription, state.operator.install_plan, wanted.starting_csv)


def judge_operator(state: State, wanted: Wanted) -> Verdict:
    """Says whether the operator is there: as OLM says, with both CRDs established and serving v2."""
    operator = state.operator
    verdict = Verdict()
    if operator.subscription or operator.csvs:
        verdict = olm.judge_installation(operator.subscription, operator.install_plan, operator.csvs, operator.deployments, wanted.starting_csv)
    missing = [f"CustomResourceDefinition {name} to serve v2" for name in (DSC_CRD, DSCI_CRD) if not serves_v2(state.crds[name])]
    return Verdict([*verdict.waiting_for, *missing], verdict.doubts, verdict.problems)


def judge_dsci(state: State, wanted: Wanted) -> Verdict:
    """Says whether the DSCInitialization is ready: by its phase, for it has no observedGeneration."""
    if state.dsci is None:
        return Verdict(waiting_for=["a DSCInitialization"])
    phase = (state.dsci.get("status") or {}).get("phase") or "none"
    if phase == "Ready" and not is_deleting(state.dsci):
        return Verdict()
    return Verdict(waiting_for=[f"DSCInitialization {name_of(state.dsci)} to be Ready (phase {phase}{', being deleted' if is_deleting(state.dsci) else ''})"])


def judge_dsci_present(state: State, wanted: Wanted) -> Verdict:
    """Says whether there is a DSCInitialization at all."""
    return Verdict() if state.dsci else Verdict(waiting_for=["a DSCInitialization that the operator makes"])


def judge_mlflow_operator(state: State, wanted: Wanted, accept_missing_status: bool = False) -> Verdict:
    """Says whether Open Data Hub runs MLflow's operator, whatever its other components do.

    Four things of the DataScienceCluster (the generation observed, Ready or an unready that is not ours, MLflowOperatorReady, Managed in its status), then the
    Deployment and the CRD. With `accept_missing_status` an operator that never reports counts by its Deployment and CRD alone.
    """
    if state.dsc is None:
        return Verdict(waiting_for=["a DataScienceCluster"])
    waiting = _unready(state.dsc)
    if accept_missing_status and management_state(state.dsc) == "Managed" and is_silent(state):
        waiting = []
    if not conditions.is_true(state.mlflow_deployment, "Available"):
        waiting.append(f"Deployment {MLFLOW_OPERATOR_DEPLOYMENT} to be Available")
    if not conditions.is_true(state.crds[MLFLOW_CRD], "Established"):
        waiting.append(f"CustomResourceDefinition {MLFLOW_CRD} to be Established")
    return Verdict(waiting_for=waiting)


def _unready(dsc: Mapping[str, Any]) -> list[str]:
    """Returns what of a DataScienceCluster is not as it must be; components that are not ours may be broken."""
    name = name_of(dsc)
    status = dsc.get("status") or {}
    generation, observed = (dsc.get("metadata") or {}).get("generation"), _observed(dsc)
    own = conditions.status_of(dsc, "MLflowOperatorReady")
    managed = ((status.get("components") or {}).get(KEY) or {}).get("managementState")
    waiting = []
    if is_deleting(dsc):
        waiting.append(f"DataScienceCluster {name}, which is being deleted")
    if own != "True":
        waiting.append(f"MLflowOperatorReady of DataScienceCluster {name} (now {own or 'absent'})")
    if managed != "Managed":
        waiting.append(f"status.components.{KEY} of DataScienceCluster {name} to be Managed (now {managed or 'absent'})")
    if observed != generation:
        waiting.append(f"DataScienceCluster {name} to observe generation {generation} (now {observed or 'none'})")
    if conditions.status_of(dsc, "Ready") != "True" and not broken_others(dsc):
        waiting.append(f"Ready of DataScienceCluster {name} (now {conditions.status_of(dsc, 'Ready') or 'absent'})")
    return waiting


def _observed(dsc: Mapping[str, Any]) -> int | None:
    """Returns the generation that the status speaks about.

    The status itself names it only when all components are well; while another one is broken, the provisioning's own condition does.
    """
    if not broken_others(dsc):
        return (dsc.get("status") or {}).get("observedGeneration")
    provisioned = next((condition for condition in conditions.all_of(dsc) if condition.get("type") == "ProvisioningSucceeded"), {})
    return provisioned.get("observedGeneration") or (dsc.get("metadata") or {}).get("generation")


# Conditions that sum others up, and our own.
_NOT_OTHERS = frozenset({"Ready", "ModulesReady", "ComponentsReady", "MLflowOperatorReady"})


def broken_others(dsc: Mapping[str, Any]) -> list[str]:
    """Returns the conditions of other components that are not well: a Removed one is, and so is what its writer calls information."""
    return [
        conditions.sentence(condition)
        for condition in conditions.all_of(dsc)
        if condition.get("type", "").endswith("Ready")
        and condition.get("type") not in _NOT_OTHERS
        and condition.get("status") != "True"
        and condition.get("severity") != "Info"
        and condition.get("reason") != "Removed"
    ]


def is_silent(state: State) -> bool:
    """Returns whether MLflow's operator runs without ever writing the status that Open Data Hub waits for.

    Builds of MLflow's operator from before that status was introduced do so.
    """
    return (
        state.mlflow_operator is not None
        and not (state.mlflow_operator.get("status") or {}).get("conditions")
        and conditions.is_true(state.mlflow_deployment, "Available")
    )


def judge_mlflow_operator_absent(state: State, wanted: Wanted) -> Verdict:
    """Says whether MLflow's operator is gone; only then a new one may be asked for, or its maker removed."""
    if state.mlflow_operator is None:
        return Verdict()
    held = ((state.mlflow_operator.get("metadata") or {}).get("finalizers")) or []
    why = [f"finalizer {', '.join(held)}"] if held else []
    why += [f"MLflow {name_of(mlflow)} exists" for mlflow in state.mlflows]
    if not conditions.is_true(state.mlflow_deployment, "Available"):
        why.append(f"Deployment {MLFLOW_OPERATOR_DEPLOYMENT}, which would release it, is not Available")
    return Verdict(waiting_for=[f"MLflowOperator {MLFLOW_OPERATOR} to go ({'; '.join(why) or 'no finalizer holds it'})"])


JUDGES: dict[str, Callable[[State, Wanted], Verdict]] = {
    "install_plan": judge_plan,
    "operator": judge_operator,
    "dsci_present": judge_dsci_present,
    "dsci": judge_dsci,
    "mlflow_operator": judge_mlflow_operator,
    "mlflow_operator_absent": judge_mlflow_operator_absent,
}


def last_seen(state: State) -> list[str]:
    """Returns what a person needs to see when the time is up: phases, the conditions that are not well, and a known cause if it looks like one."""
    told: list[str] = []
    for kind, manifest in (
        ("Subscription", state.operator.subscription),
        ("DSCInitialization", state.dsci),
        ("DataScienceCluster", state.dsc),
        ("MLflowOperator", state.mlflow_operator),
        ("Deployment", state.mlflow_deployment),
    ):
        if manifest is None:
            continue
        status = manifest.get("status") or {}
        parts = [f"{word} {status[word]}" for word in ("phase", "state", "installedCSV", "currentCSV") if status.get(word)]
        parts += _bad(kind, manifest)
        told.append(f"{kind} {name_of(manifest)}: {'; '.join(parts) or ('no bad condition' if status else 'no status')}")
    told += [text for pod in state.mlflow_operator_pods if (text := pods.stuck(pod) or pods.pending(pod))]
    if is_silent(state) and management_state(state.dsc) == "Managed":
        told.append(
            f"Deployment {MLFLOW_OPERATOR_DEPLOYMENT} is Available but MLflowOperator {MLFLOW_OPERATOR} has no status: this release of Open Data Hub "
            "probably pins an MLflow operator from before that status existed. Set opendatahub_accept_missing_status to true to go on by the Deployment alone"
        )
    return told


def _bad(kind: str, manifest: Mapping[str, Any]) -> list[str]:
    """Returns the conditions that are not well; those of a Subscription, and Progressing and Degraded, are bad when True."""
    turned = {"Progressing", "Degraded"} if kind == "DSCInitialization" else set()
    found = []
    for condition in conditions.all_of(manifest):
        is_bad_when_true = kind == "Subscription" or condition.get("type") in turned
        is_bad = (condition.get("status") == "True") == is_bad_when_true
        if is_bad and condition.get("severity") != "Info" and condition.get("reason") != "Removed":
            found.append(conditions.sentence(condition))
    return found


def describe(state: State) -> dict[str, Any]:
    """Returns what roles ask: names, versions, whose it is, and what is set now."""
    operator, dsci, dsc = state.operator, state.dsci, state.dsc
    subscription, plan = operator.subscription, operator.install_plan
    csv = next((item for item in operator.csvs if (item.get("status") or {}).get("phase") == "Succeeded"), next(iter(operator.csvs), None))
    approve = olm.plan_to_approve(subscription, plan) and subscription is not None and olm.is_first_installation(subscription)
    release = ((dsc or dsci or {}).get("status") or {}).get("release") or {}
    # The platform calls itself 0.0.0 when it finds no CSV beside its operator.
    released = release.get("version") if release.get("version") != "0.0.0" else ""
    components = ((dsc or {}).get("status") or {}).get("components") or {}
    return {
        "operator": {
            "installed": is_installed(state),
            "namespace": operator.namespace,
            "subscription": name_of(subscription),
            "owned": ownership.is_ours(subscription or {}),
            "run_id": ownership.run_id(subscription or {}),
            "csv": name_of(csv),
            "csv_owned": ownership.is_ours(csv or {}),
            "version": ((csv or {}).get("spec") or {}).get("version") or released or "",
            "operator_groups": operator.operator_groups,
            "install_plan": name_of(plan) if approve else "",
        },
        "applications_namespace": applications_namespace(dsci),
        "dsci": {"name": name_of(dsci), "owned": ownership.is_ours(dsci or {})},
        "dsc": {"name": name_of(dsc), "owned": ownership.is_ours(dsc or {}), "management_state": management_state(dsc)},
        "mlflow_operator": {
            "present": state.mlflow_operator is not None,
            "deleting": is_deleting(state.mlflow_operator),
            "releases": {item.get("name", ""): item.get("version", "") for item in (components.get(KEY) or {}).get("releases") or []},
        },
        "release": {"name": release.get("name") or "", "version": released or ""},
        "other_problems": broken_others(dsc or {}),
    }
