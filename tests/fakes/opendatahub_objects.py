# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Factories of OLM's and Open Data Hub's objects, with the status that the real controllers write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.platform.opendatahub_state import DSC_CRD, DSCI_CRD, MLFLOW_CRD, OperatorState, Request, State

OBSERVED = yaml.safe_load((Path(__file__).resolve().parents[1] / "unit" / "fixtures" / "opendatahub" / "status_3.5.0.yml").read_text(encoding="utf-8"))
OURS = {"app.kubernetes.io/managed-by": "perfscale.mlflow", "perfscale.mlflow/run-id": "run-1"}
CSV = "opendatahub-operator.v3.5.0"
REQUEST = Request(
    applications_namespace="opendatahub",
    package="opendatahub-operator",
    operator_namespace="opendatahub-operator-system",
    channel="fast-3",
    source="community-operators",
    source_namespace="openshift-marketplace",
)


def named(name: str, labels: dict[str, str] | None = None, **rest: Any) -> dict[str, Any]:
    """Return an object with a name, labels and any other fields."""
    metadata = {"name": name, "labels": labels or {}, **rest.pop("metadata", {})}
    return {"metadata": metadata, **rest}


def condition(kind: str, status: str = "True", **rest: str) -> dict[str, str]:
    """Return one condition."""
    return {"type": kind, "status": status, **rest}


def available(name: str, status: str = "True") -> dict[str, Any]:
    """Return a Deployment; the tag of its image is no version."""
    container = {"name": "manager", "image": "quay.io/opendatahub/mlflow-operator:odh-stable"}
    return named(name, spec={"template": {"spec": {"containers": [container]}}}, status={"conditions": [condition("Available", status)]})


def crd(name: str, versions: tuple[str, ...] = ("v1", "v2"), established: str = "True", key: str = "mlflowoperator") -> dict[str, Any]:
    """Return a CRD whose versions have a component."""
    schema: dict[str, Any] = {key: {}}
    for step in ("properties", "components", "properties", "spec", "properties", "openAPIV3Schema"):
        schema = {step: schema}
    listed = [{"name": version, "served": True, "schema": schema} for version in versions]
    return named(name, spec={"versions": listed}, status={"conditions": [condition("Established", established)]})


def subscription(installed: str = CSV, current: str = CSV, labels: dict[str, str] | None = None, approval: str = "Automatic", **status: Any) -> dict[str, Any]:
    """Return a Subscription of the operator."""
    return named(
        "opendatahub-operator",
        OURS if labels is None else labels,
        metadata={"namespace": "opendatahub-operator-system"},
        spec={"name": "opendatahub-operator", "installPlanApproval": approval},
        status={**({"installedCSV": installed} if installed else {}), "currentCSV": current, "state": "AtLatestKnown", **status},
    )


def csv(name: str = CSV, phase: str = "Succeeded", **status: str) -> dict[str, Any]:
    """Return a ClusterServiceVersion that owns the CRDs of Open Data Hub."""
    owned = [{"kind": "DataScienceCluster"}, {"kind": "DSCInitialization"}]
    install = {"spec": {"deployments": [{"name": "opendatahub-operator-controller-manager"}]}}
    spec = {"version": name.rpartition(".v")[2], "customresourcedefinitions": {"owned": owned}, "install": install}
    return named(name, metadata={"namespace": "opendatahub-operator-system"}, spec=spec, status={"phase": phase, **status})


def plan(*names: str, approved: bool = False, **status: Any) -> dict[str, Any]:
    """Return an InstallPlan."""
    return named("install-abc", spec={"approved": approved, "clusterServiceVersionNames": list(names)}, status=status)


def package(*channels: str, entries: tuple[str, ...] = (CSV,)) -> dict[str, Any]:
    """Return a PackageManifest of a catalog."""
    offered = [{"name": channel, "entries": [{"name": entry} for entry in entries]} for channel in channels]
    return named("opendatahub-operator", status={"catalogSource": "community-operators", "defaultChannel": "fast", "channels": offered})


def dsci(step: int = -1, labels: dict[str, str] | None = None, namespace: str = "opendatahub") -> dict[str, Any]:
    """Return a DSCInitialization at a step of its creation."""
    return named("default-dsci", labels, spec={"applicationsNamespace": namespace}, status=OBSERVED["DSCInitialization"]["created"][step]["status"])


def dsc(
    requested: str = "Managed",
    steps: str = "managed",
    step: int = -1,
    observed: int | None = 1,
    generation: int = 1,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    others: dict[str, str] | None = None,
    more: tuple[dict[str, str], ...] = (),
    provisioned: int | None = None,
) -> dict[str, Any]:
    """Return a DataScienceCluster: its requested state, and how far its status is."""
    status = dict(OBSERVED["DataScienceCluster"][steps][step]["status"])
    observed_generation = {"observedGeneration": provisioned} if provisioned else {}
    status["conditions"] = [{**entry, **(observed_generation if entry["type"] == "ProvisioningSucceeded" else {})} for entry in (*status["conditions"], *more)]
    if observed:
        status["observedGeneration"] = observed
    components = {name: {"managementState": state} for name, state in {"mlflowoperator": requested, **(others or {})}.items() if state}
    metadata = {"generation": generation, "annotations": annotations or {}}
    return named("default-dsc", labels, metadata=metadata, spec={"components": components}, status=status)


def mlflow_operator(step: int | None = -1, **metadata: Any) -> dict[str, Any]:
    """Return the MLflowOperator, without a status if no step is named."""
    status = {} if step is None else OBSERVED["MLflowOperator"]["created"][step]["status"]
    return named("default-mlflowoperator", metadata=metadata, status=status)


def state(**parts: Any) -> State:
    """Return the state of a cluster where everything is ready; `parts` replace what is observed."""
    healthy: dict[str, Any] = {
        "operator": OperatorState(True, "opendatahub-operator-system", subscription(), csvs=[csv()]),
        "crds": {name: crd(name) for name in (DSC_CRD, DSCI_CRD, MLFLOW_CRD)},
        "dscis": [dsci()],
        "dscs": [dsc()],
        "mlflow_operator": mlflow_operator(),
        "mlflow_deployment": available("mlflow-operator-controller-manager"),
        "mlflows": [],
        "applications_namespace": named("opendatahub"),
    }
    return State(**{**healthy, **parts})


def bare(**parts: Any) -> State:
    """Return the state of a cluster with OLM and without Open Data Hub."""
    nothing: dict[str, Any] = {
        "operator": OperatorState(True, "opendatahub-operator-system", package=package("fast", "fast-3")),
        "crds": dict.fromkeys((DSC_CRD, DSCI_CRD, MLFLOW_CRD)),
        "dscis": [],
        "dscs": [],
        "mlflow_operator": None,
        "mlflow_deployment": None,
        "applications_namespace": None,
    }
    return state(**{**nothing, **parts})
