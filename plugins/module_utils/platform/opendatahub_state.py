# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of Open Data Hub (or RHOAI) on a cluster: OLM's objects of its operator, DSCInitialization, DataScienceCluster and MLflow's operator.

It also determines how a DataScienceCluster is adopted and what a teardown restores and deletes, by labels and annotations alone.

Kinds and versions as https://github.com/opendatahub-io/opendatahub-operator serves them; the key of MLflow exists in v2 of DataScienceCluster only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import deployments, ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.platform.olm import deployment_names, is_copied, name_of, namespace_of, owns

DSC_CRD = "datascienceclusters.datasciencecluster.opendatahub.io"
DSCI_CRD = "dscinitializations.dscinitialization.opendatahub.io"
MLFLOW_CRD = "mlflows.mlflow.opendatahub.io"
MLFLOW_OPERATOR = "default-mlflowoperator"
MLFLOW_OPERATOR_DEPLOYMENT = "mlflow-operator-controller-manager"

# The component of a DataScienceCluster that runs MLflow's operator.
KEY = "mlflowoperator"
# Annotations of an adopted DataScienceCluster: the former value of its key, and the run that changed it.
BEFORE = "perfscale.mlflow/mlflowoperator-before"
CHANGED_BY = "perfscale.mlflow/mlflowoperator-run-id"
UNSET = "unset"

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_DSC = "/apis/datasciencecluster.opendatahub.io/v2/datascienceclusters"
_DSCI = "/apis/dscinitialization.opendatahub.io/v2/dscinitializations"
_MLFLOW = "/apis/mlflow.opendatahub.io/v1/mlflows"
_MLFLOW_OPERATOR = "/apis/components.platform.opendatahub.io/v1alpha1/mlflowoperators"
_OLM = "/apis/operators.coreos.com/v1alpha1"


@dataclass(frozen=True)
class Request:
    """The requested installation: names as in the role's variables; `olm` whether OLM's objects are read."""

    applications_namespace: str
    package: str = ""
    operator_namespace: str = ""
    channel: str = ""
    source: str = ""
    source_namespace: str = ""
    starting_csv: str = ""
    olm: bool = True


@dataclass(frozen=True)
class OperatorState:
    """OLM's objects of the operator. `served`: whether the cluster has OLM; `namespace`: where the operator is, or would be."""

    served: bool = False
    namespace: str = ""
    subscription: dict[str, Any] | None = None
    install_plan: dict[str, Any] | None = None
    csvs: list[dict[str, Any]] = field(default_factory=list)
    deployments: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    operator_groups: list[str] = field(default_factory=list)
    package: dict[str, Any] | None = None


@dataclass(frozen=True)
class State:
    """All objects as the API returned them."""

    operator: OperatorState
    crds: dict[str, dict[str, Any] | None]
    dscis: list[dict[str, Any]]
    dscs: list[dict[str, Any]]
    mlflow_operator: dict[str, Any] | None
    mlflow_deployment: dict[str, Any] | None
    mlflows: list[dict[str, Any]]
    applications_namespace: dict[str, Any] | None
    mlflow_operator_pods: list[dict[str, Any]] = field(default_factory=list)

    @property
    def dsci(self) -> dict[str, Any] | None:
        return self.dscis[0] if self.dscis else None

    @property
    def dsc(self) -> dict[str, Any] | None:
        return self.dscs[0] if self.dscs else None


def read(cluster: Cluster, request: Request) -> State:
    """Return the current state; a kind that the cluster does not serve has no objects. Raises ClusterError."""
    namespace = request.applications_namespace
    dscis = _items(cluster, _DSCI) or []
    deployed_in = ((dscis[0].get("spec") or {}).get("applicationsNamespace") if dscis else "") or namespace
    deployed = deployments.read(cluster, deployed_in, MLFLOW_OPERATOR_DEPLOYMENT)
    return State(
        operator=_read_operator(cluster, request) if request.olm else OperatorState(),
        crds={name: cluster.get(f"{_CRDS}/{name}") for name in (DSC_CRD, DSCI_CRD, MLFLOW_CRD)},
        dscis=dscis,
        dscs=_items(cluster, _DSC) or [],
        mlflow_operator=cluster.get(f"{_MLFLOW_OPERATOR}/{MLFLOW_OPERATOR}"),
        mlflow_deployment=deployed.deployment,
        mlflows=_items(cluster, _MLFLOW) or [],
        applications_namespace=cluster.get(f"/api/v1/namespaces/{namespace}"),
        mlflow_operator_pods=deployed.pods,
    )


def _read_operator(cluster: Cluster, request: Request) -> OperatorState:
    """Return OLM's objects of the operator: by our package's Subscription, else the CSV of any package that owns DataScienceCluster."""
    listed = _items(cluster, f"{_OLM}/subscriptions")
    if listed is None:
        return OperatorState(namespace=request.operator_namespace)
    ours = [item for item in listed if (item.get("spec") or {}).get("name") == request.package]
    subscription = next(iter(ours), None)
    names = _csv_names(subscription)
    if names:
        where = namespace_of(subscription)
        csvs = [csv for name in names if (csv := cluster.get(f"{_OLM}/namespaces/{where}/clusterserviceversions/{name}"))]
    else:
        # Copies are many and large: one in each namespace.
        listed_csvs = _items(cluster, f"{_OLM}/clusterserviceversions", "!olm.copiedFrom") or []
        csvs = [csv for csv in listed_csvs if owns(csv, "DataScienceCluster") and not is_copied(csv)]
        where = namespace_of(subscription) or (namespace_of(csvs[0]) if csvs else request.operator_namespace)
        # The CSV of another package, such as RHOAI, has a Subscription of its own.
        subscription = subscription or next((item for item in listed if csvs and name_of(csvs[0]) in _csv_names(item)), None)
    deployments = {name: cluster.get(f"/apis/apps/v1/namespaces/{where}/deployments/{name}") for csv in csvs for name in deployment_names(csv)}
    plan = (((subscription or {}).get("status") or {}).get("installPlanRef")) or {}
    groups = _items(cluster, f"/apis/operators.coreos.com/v1/namespaces/{where}/operatorgroups") if where else None
    return OperatorState(
        served=True,
        namespace=where,
        subscription=subscription,
        install_plan=cluster.get(f"{_OLM}/namespaces/{plan.get('namespace') or where}/installplans/{plan['name']}") if plan.get("name") else None,
        csvs=csvs,
        deployments=deployments,
        operator_groups=[name_of(group) for group in groups or []],
        package=None if csvs or subscription else _read_package(cluster, request),
    )


def _read_package(cluster: Cluster, request: Request) -> dict[str, Any] | None:
    """Return the PackageManifest of the requested catalog; several catalogs may offer the same name, of which a GET returns any one."""
    path = f"/apis/packages.operators.coreos.com/v1/namespaces/{request.source_namespace}/packagemanifests"
    found = cluster.get(f"{path}/{request.package}")
    if found is None or (found.get("status") or {}).get("catalogSource") == request.source:
        return found
    offers = _items(cluster, path, f"catalog={request.source}") or []
    return next((offer for offer in offers if name_of(offer) == request.package), None)


def _csv_names(subscription: Mapping[str, Any] | None) -> list[str]:
    """Return the CSVs that a Subscription names: the installed and the current one."""
    status = (subscription or {}).get("status") or {}
    return list(dict.fromkeys(name for name in (status.get("installedCSV"), status.get("currentCSV")) if name))


def _items(cluster: Cluster, path: str, selector: str = "") -> list[dict[str, Any]] | None:
    """Return the objects of a kind, or None when the cluster does not serve it."""
    try:
        return cluster.items(path, selector)
    except ClusterError as error:
        if error.status == 404:
            return None
        raise


def management_state(dsc: Mapping[str, Any] | None) -> str:
    """Return the requested state of MLflow's operator in a DataScienceCluster: Managed, Removed, or empty if not set."""
    components = ((dsc or {}).get("spec") or {}).get("components") or {}
    return (components.get(KEY) or {}).get("managementState") or ""


def applications_namespace(dsci: Mapping[str, Any] | None) -> str:
    """Return the namespace where a DSCInitialization puts applications, empty for none."""
    return ((dsci or {}).get("spec") or {}).get("applicationsNamespace") or ""


def is_deleting(manifest: Mapping[str, Any] | None) -> bool:
    """Return whether an object is being deleted."""
    return bool(((manifest or {}).get("metadata") or {}).get("deletionTimestamp"))


def adoption_patch(dsc: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """Return the merge patch that enables MLflow's operator in an unmanaged DataScienceCluster and records the former value."""
    before = management_state(dsc) or UNSET
    return {"metadata": {"annotations": {BEFORE: before, CHANGED_BY: run_id}}, "spec": {"components": {KEY: {"managementState": "Managed"}}}}


def restoration_patch(dsc: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch that restores what `adoption_patch` found, unless another value was set since."""
    before = _annotations(dsc).get(BEFORE)
    patch: dict[str, Any] = {"metadata": {"annotations": {BEFORE: None, CHANGED_BY: None}}}
    if management_state(dsc) == "Managed":
        patch["spec"] = {"components": {KEY: None if before == UNSET else {"managementState": before}}}
    return patch


def plan_removal(state: State, run_id: str) -> dict[str, Any]:
    """Return what a teardown does, in the order of its keys, and `left`, what it does not delete or restore: [{object, why, run_id}].

    `run_id` selects one run's objects, an empty one all that are ours. MLflow's operator remains while any MLflow exists, since only it can remove the
    finalizer; a DataScienceCluster with components that others enabled remains; an operator remains while it is needed. The `run_id` of an entry is
    another run of ours that is the reason, or empty.
    """
    left: list[dict[str, str]] = []
    dsc, dsci = state.dsc or {}, state.dsci or {}
    # A teardown that was interrupted leaves the version without its Subscription.
    operator = state.operator.subscription or next(iter(state.operator.csvs), {})
    adopted = _annotations(dsc).get(CHANGED_BY)
    restores = bool(adopted) and (not run_id or adopted == run_id)
    removes = _is_mine(dsc, run_id)
    others = [name for name, component in _components(dsc).items() if name != KEY and (component or {}).get("managementState") == "Managed"]
    # A DataScienceCluster that stays is needed by another run, or is kept by something unmanaged.
    needing = _other_run([dsc], run_id)
    if (restores or removes) and state.mlflows:
        names = ", ".join(map(name_of, state.mlflows))
        needing = _other_run(state.mlflows, run_id)
        remedy = f"Tear down run {needing}" if needing else "Delete that"
        left.append(_left(f"DataScienceCluster {name_of(dsc)}", f"stays unchanged, because MLflow {names} still exists. {remedy} first.", needing))
        if state.mlflow_operator:
            left.append(_left(f"MLflowOperator {name_of(state.mlflow_operator)}", f"stays, because MLflow {names} needs it.", needing))
        restores = removes = False
    deletes = removes and not others
    if removes and others:
        left.append(_left(f"DataScienceCluster {name_of(dsc)}", f"stays, because others enabled {', '.join(sorted(others))}.", ""))
    stays = bool(dsc) and not deletes
    deletes_dsci = _is_mine(dsci, run_id) and not stays
    if _is_mine(dsci, run_id) and stays:
        left.append(_left(f"DSCInitialization {name_of(dsci)}", f"stays, because DataScienceCluster {name_of(dsc)} needs it.", needing))
    needed = {f"DataScienceCluster {name_of(dsc)}": needing} if stays else {}
    if dsci and not deletes_dsci:
        needed[f"DSCInitialization {name_of(dsci)}"] = needing if _is_mine(dsci, run_id) else _other_run([dsci], run_id)
    deletes_operator = _is_mine(operator, run_id) and not needed
    if _is_mine(operator, run_id) and needed:
        kind = "Subscription" if state.operator.subscription else "ClusterServiceVersion"
        verb = "need" if len(needed) > 1 else "needs"
        runs = set(needed.values())
        other_run = runs.pop() if len(runs) == 1 else ""
        name = f"{kind} {namespace_of(operator)}/{name_of(operator)}"
        left.append(_left(name, f"stays with its operator, because {' and '.join(needed)} {verb} it.", other_run))
    return {
        "restore": restoration_patch(dsc) if restores else {},
        "disable_dsc": name_of(dsc) if removes else "",
        "delete_dsc": name_of(dsc) if deletes else "",
        "delete_dsci": name_of(dsci) if deletes_dsci else "",
        "delete_operator": name_of(operator) if deletes_operator else "",
        "left": left,
    }


def _left(name: str, why: str, run_id: str) -> dict[str, str]:
    """Return an entry of what stays, as `teardown.tear_down` takes it."""
    return {"object": name, "why": why, "run_id": run_id}


def _other_run(manifests: Iterable[Mapping[str, Any]], run_id: str) -> str:
    """Return the run of ours, other than the one torn down, that created all of these objects, or an empty text."""
    runs = {ownership.run_id(manifest) if ownership.is_ours(manifest) else "" for manifest in manifests}
    return next(iter(runs)) if run_id and len(runs) == 1 and run_id not in runs else ""


def _is_mine(manifest: Mapping[str, Any], run_id: str) -> bool:
    """Return whether an object carries our labels, and those of the run if one is named."""
    labels = (manifest.get("metadata") or {}).get("labels") or {}
    return ownership.is_ours(manifest) and (not run_id or labels.get(ownership.RUN_ID) == run_id)


def _annotations(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the annotations of an object."""
    return (manifest.get("metadata") or {}).get("annotations") or {}


def _components(dsc: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the components that a DataScienceCluster configures."""
    return (dsc.get("spec") or {}).get("components") or {}
