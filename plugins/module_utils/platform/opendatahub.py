# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readiness of Open Data Hub: obstacles to its deployment, what is still missing, and what was seen last. Pure functions over plain data.

The rules were observed with opendatahub-operator v3.5.0. Two of them surprise: a plain wait for Ready passes on a status that is older than the change
(observedGeneration shows it), and Ready relies on the component's condition without checking its Deployment. Messages may be stale and decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership, pods
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.deployments import declared_version
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.readiness import (
    Readiness,
    condition_status,
    condition_text,
    conditions,
    is_condition_true,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.platform import olm
from ansible_collections.perfscale.mlflow.plugins.module_utils.platform.olm import name_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.platform.opendatahub_state import (
    DSC_CRD,
    DSCI_CRD,
    KEY,
    MLFLOW_CRD,
    MLFLOW_OPERATOR,
    MLFLOW_OPERATOR_DEPLOYMENT,
    Request,
    State,
    applications_namespace,
    is_deleting,
    management_state,
)

# Where each package puts its applications by default; another namespace must be labelled before the operator starts.
DEFAULT_NAMESPACES = {"opendatahub-operator": "opendatahub", "rhods-operator": "redhat-ods-applications"}
APPLICATIONS_LABEL = "opendatahub.io/application-namespace"


def serves_v2(crd: Mapping[str, Any] | None) -> bool:
    """Return whether a CRD is established and serves v2."""
    versions = ((crd or {}).get("spec") or {}).get("versions") or []
    return is_condition_true(crd, "Established") and any(version.get("name") == "v2" and version.get("served") for version in versions)


def has_mlflow_component(crd: Mapping[str, Any] | None) -> bool:
    """Return whether the schema of DataScienceCluster v2 has the key of MLflow's operator; an unknown key would be dropped with only a warning."""
    versions = ((crd or {}).get("spec") or {}).get("versions") or []
    schema: Any = next((version for version in versions if version.get("name") == "v2"), {})
    for step in ("schema", "openAPIV3Schema", "properties", "spec", "properties", "components", "properties"):
        schema = schema.get(step) or {}
    return KEY in schema


def is_installed(state: State) -> bool:
    """Return whether an operator is installed or being installed, by any means."""
    return bool(state.operator.subscription or state.operator.csvs or state.crds[DSC_CRD])


def obstacles(state: State, request: Request, install: bool) -> list[str]:
    """Return every reason why the role cannot deploy, before it changes anything."""
    found: list[str] = []
    if not is_installed(state):
        found += _installation_obstacles(state, request, install)
    crd = state.crds[DSC_CRD]
    if crd is not None and not (serves_v2(crd) and has_mlflow_component(crd)):
        found.append(f"CustomResourceDefinition {DSC_CRD}: no version v2 with the component {KEY}. Install Open Data Hub 3.2 or newer.")
    for kind, manifests in (("DSCInitialization", state.dscis), ("DataScienceCluster", state.dscs)):
        if len(manifests) > 1:
            found.append(f"{kind} {', '.join(map(name_of, manifests))}: more than one. Delete all but one.")
    namespace = applications_namespace(state.dsci)
    if namespace and namespace != request.applications_namespace:
        found.append(
            f"DSCInitialization {name_of(state.dsci)}: applications namespace {namespace} instead of {request.applications_namespace}, and immutable. "
            f"Set opendatahub_applications_namespace to {namespace}."
        )
    if state.mlflows and management_state(state.dsc) != "Managed" and state.mlflow_deployment is not None:
        found.append(
            f"Deployment {MLFLOW_OPERATOR_DEPLOYMENT}: manages MLflow {name_of(state.mlflows[0])} already, outside of Open Data Hub. "
            "Use it as it is (role mlflow_operator), or delete it first."
        )
    return found


def _installation_obstacles(state: State, request: Request, install: bool) -> list[str]:
    """Return why an absent operator cannot be installed."""
    if not install or not request.olm:
        return ["Open Data Hub: no operator installed, and its installation is turned off. Install one, or set opendatahub_install_operator to true."]
    if not state.operator.served:
        return [
            "Open Data Hub: no operator installed, and no Operator Lifecycle Manager in the cluster to install one. "
            "Use the inventory for plain Kubernetes, or install the operator first."
        ]
    found = olm.offer_problems(state.operator.package, request.package, request.source, request.channel, request.starting_csv)
    namespace = state.applications_namespace
    is_custom = request.applications_namespace != DEFAULT_NAMESPACES.get(request.package)
    labels = ((namespace or {}).get("metadata") or {}).get("labels") or {}
    if is_custom and namespace is not None and labels.get(APPLICATIONS_LABEL) != "true":
        found.append(
            f"Namespace {request.applications_namespace}: exists without the label {APPLICATIONS_LABEL}=true, which the operator reads when it starts. "
            "Set the label, or choose another opendatahub_applications_namespace."
        )
    return found


def check_plan(state: State, request: Request) -> Readiness:
    """Check that OLM has decided what to install."""
    return olm.check_plan(state.operator.subscription, state.operator.install_plan, request.starting_csv)


def check_operator(state: State, request: Request) -> Readiness:
    """Check that the operator is installed according to OLM, with both CRDs established and serving v2."""
    operator = state.operator
    readiness = Readiness()
    if operator.subscription or operator.csvs:
        readiness = olm.check_installation(operator.subscription, operator.install_plan, operator.csvs, operator.deployments, request.starting_csv)
    missing = [f"CustomResourceDefinition {name} to serve v2" for name in (DSC_CRD, DSCI_CRD) if not serves_v2(state.crds[name])]
    return Readiness([*readiness.waiting_for, *missing], readiness.doubts, readiness.problems)


def check_dsci(state: State, request: Request) -> Readiness:
    """Check that the DSCInitialization is ready: by its phase, since it has no observedGeneration."""
    if state.dsci is None:
        return Readiness(waiting_for=["a DSCInitialization"])
    phase = (state.dsci.get("status") or {}).get("phase") or "none"
    if phase == "Ready" and not is_deleting(state.dsci):
        return Readiness()
    return Readiness(waiting_for=[f"DSCInitialization {name_of(state.dsci)} to be Ready (phase {phase}{', being deleted' if is_deleting(state.dsci) else ''})"])


def check_dsci_present(state: State, request: Request) -> Readiness:
    """Check that a DSCInitialization exists."""
    return Readiness() if state.dsci else Readiness(waiting_for=["a DSCInitialization that the operator creates"])


def check_mlflow_operator(state: State, request: Request, accept_missing_status: bool = False) -> Readiness:
    """Check that Open Data Hub runs MLflow's operator, whatever its other components do.

    Four fields of the DataScienceCluster (the generation observed, Ready or an unready that is not ours, MLflowOperatorReady, Managed in its status), then the
    Deployment and the CRD. With `accept_missing_status` an operator that never reports its status is ready by its Deployment and CRD alone.
    """
    if state.dsc is None:
        return Readiness(waiting_for=["a DataScienceCluster"])
    waiting = _unready(state.dsc)
    if accept_missing_status and management_state(state.dsc) == "Managed" and lacks_status(state):
        waiting = []
    if not is_condition_true(state.mlflow_deployment, "Available"):
        waiting.append(f"Deployment {MLFLOW_OPERATOR_DEPLOYMENT} to be Available")
    if not is_condition_true(state.crds[MLFLOW_CRD], "Established"):
        waiting.append(f"CustomResourceDefinition {MLFLOW_CRD} to be Established")
    return Readiness(waiting_for=waiting)


def _unready(dsc: Mapping[str, Any]) -> list[str]:
    """Return what is missing at a DataScienceCluster; other components may be broken."""
    name = name_of(dsc)
    status = dsc.get("status") or {}
    generation, observed = (dsc.get("metadata") or {}).get("generation"), _observed(dsc)
    own = condition_status(dsc, "MLflowOperatorReady")
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
    if condition_status(dsc, "Ready") != "True" and not broken_others(dsc):
        waiting.append(f"Ready of DataScienceCluster {name} (now {condition_status(dsc, 'Ready') or 'absent'})")
    return waiting


def _observed(dsc: Mapping[str, Any]) -> int | None:
    """Return the generation that the status refers to.

    The status itself names it only when all components are ready; while another one is broken, the condition of the provisioning does.
    """
    if not broken_others(dsc):
        return (dsc.get("status") or {}).get("observedGeneration")
    provisioned = next((condition for condition in conditions(dsc) if condition.get("type") == "ProvisioningSucceeded"), {})
    return provisioned.get("observedGeneration") or (dsc.get("metadata") or {}).get("generation")


# Conditions that summarize others, and that of MLflow's operator.
_NOT_OTHERS = frozenset({"Ready", "ModulesReady", "ComponentsReady", "MLflowOperatorReady"})


def broken_others(dsc: Mapping[str, Any]) -> list[str]:
    """Return the unmet conditions of other components, except those that are Removed or informational."""
    return [
        condition_text(condition)
        for condition in conditions(dsc)
        if condition.get("type", "").endswith("Ready")
        and condition.get("type") not in _NOT_OTHERS
        and condition.get("status") != "True"
        and condition.get("severity") != "Info"
        and condition.get("reason") != "Removed"
    ]


def lacks_status(state: State) -> bool:
    """Return whether MLflow's operator runs without ever writing the status that Open Data Hub waits for.

    Builds of MLflow's operator from before that status was introduced do so.
    """
    return (
        state.mlflow_operator is not None
        and not (state.mlflow_operator.get("status") or {}).get("conditions")
        and is_condition_true(state.mlflow_deployment, "Available")
    )


def check_mlflow_operator_absent(state: State, request: Request) -> Readiness:
    """Check that MLflow's operator is gone; only then a new one may be requested, or its owner deleted."""
    if state.mlflow_operator is None:
        return Readiness()
    finalizers = ((state.mlflow_operator.get("metadata") or {}).get("finalizers")) or []
    why = [f"finalizer {', '.join(finalizers)}"] if finalizers else []
    why += [f"MLflow {name_of(mlflow)} exists" for mlflow in state.mlflows]
    if not is_condition_true(state.mlflow_deployment, "Available"):
        why.append(f"Deployment {MLFLOW_OPERATOR_DEPLOYMENT}, which would release it, is not Available")
    return Readiness(waiting_for=[f"MLflowOperator {MLFLOW_OPERATOR} to go ({'; '.join(why) or 'no finalizer blocks it'})"])


CHECKS: dict[str, Callable[[State, Request], Readiness]] = {
    "install_plan": check_plan,
    "operator": check_operator,
    "dsci_present": check_dsci_present,
    "dsci": check_dsci,
    "mlflow_operator": check_mlflow_operator,
    "mlflow_operator_absent": check_mlflow_operator_absent,
}


def last_seen(state: State) -> list[str]:
    """Return what explains a timeout: phases, unmet conditions, and the cause if it is a known one."""
    found: list[str] = []
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
        parts += _bad_conditions(kind, manifest)
        found.append(f"{kind} {name_of(manifest)}: {'; '.join(parts) or ('no bad condition' if status else 'no status')}")
    found += [text for pod in state.mlflow_operator_pods if (text := pods.start_failure(pod) or pods.scheduling_failure(pod))]
    if lacks_status(state) and management_state(state.dsc) == "Managed":
        found.append(
            f"Deployment {MLFLOW_OPERATOR_DEPLOYMENT} is Available but MLflowOperator {MLFLOW_OPERATOR} has no status: this release of Open Data Hub "
            "probably pins an MLflow operator from before that status existed. Set opendatahub_accept_missing_status to true to rely on the Deployment alone"
        )
    return found


def _bad_conditions(kind: str, manifest: Mapping[str, Any]) -> list[str]:
    """Return the bad conditions; those of a Subscription, and Progressing and Degraded, are bad when True."""
    inverted = {"Progressing", "Degraded"} if kind == "DSCInitialization" else set()
    found = []
    for condition in conditions(manifest):
        is_bad_when_true = kind == "Subscription" or condition.get("type") in inverted
        is_bad = (condition.get("status") == "True") == is_bad_when_true
        if is_bad and condition.get("severity") != "Info" and condition.get("reason") != "Removed":
            found.append(condition_text(condition))
    return found


def facts(state: State) -> dict[str, Any]:
    """Return what roles need to know: names, versions, ownership, and the current settings."""
    operator, dsci, dsc = state.operator, state.dsci, state.dsc
    subscription, plan = operator.subscription, operator.install_plan
    csv = next((item for item in operator.csvs if (item.get("status") or {}).get("phase") == "Succeeded"), next(iter(operator.csvs), None))
    approve = olm.plan_to_approve(subscription, plan) and subscription is not None and olm.is_first_installation(subscription)
    release = ((dsc or dsci or {}).get("status") or {}).get("release") or {}
    # The platform reports 0.0.0 when it finds no CSV of its operator.
    released = release.get("version") if release.get("version") != "0.0.0" else ""
    platform_version = ((csv or {}).get("spec") or {}).get("version") or released or ""
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
            "version": platform_version,
            "operator_groups": operator.operator_groups,
            "install_plan": name_of(plan) if approve else "",
        },
        "applications_namespace": applications_namespace(dsci),
        "dsci": {"name": name_of(dsci), "owned": ownership.is_ours(dsci or {})},
        "dsc": {"name": name_of(dsc), "owned": ownership.is_ours(dsc or {}), "management_state": management_state(dsc)},
        "mlflow_operator": {
            "present": state.mlflow_operator is not None,
            "deleting": is_deleting(state.mlflow_operator),
            **_mlflow_operator_version(state, platform_version, name_of(csv) or release.get("name") or ""),
            "releases": {item.get("name", ""): item.get("version", "") for item in (components.get(KEY) or {}).get("releases") or []},
        },
        "release": {"name": release.get("name") or "", "version": released or ""},
        "other_problems": broken_others(dsc or {}),
    }


def _mlflow_operator_version(state: State, platform_version: str, platform: str) -> dict[str, str | None]:
    """Return {image, version, version_source} of MLflow's operator: what its Deployment declares, else the version of the platform, which ships it."""
    deployment = state.mlflow_deployment
    if not deployment:
        return {"image": None, "version": None, "version_source": f"no Deployment {MLFLOW_OPERATOR_DEPLOYMENT}"}
    image = deployment["spec"]["template"]["spec"]["containers"][0].get("image")
    declared = declared_version(deployment, image)
    if not declared["version"] and platform_version:
        declared = {"version": platform_version, "source": f"{platform}, which ships it"}
    return {"image": image, "version": declared["version"], "version_source": declared["source"]}
