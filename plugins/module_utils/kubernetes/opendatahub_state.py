# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at an Open Data Hub (or RHOAI) on a cluster: its operator as OLM sees it, DSCInitialization, DataScienceCluster and MLflow's operator.

Kinds and versions as https://github.com/opendatahub-io/opendatahub-operator serves them; the key of MLflow exists in v2 of DataScienceCluster only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import deployments
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.olm import deployment_names, is_copied, name_of, namespace_of, owns

DSC_CRD = "datascienceclusters.datasciencecluster.opendatahub.io"
DSCI_CRD = "dscinitializations.dscinitialization.opendatahub.io"
MLFLOW_CRD = "mlflows.mlflow.opendatahub.io"
MLFLOW_OPERATOR = "default-mlflowoperator"
MLFLOW_OPERATOR_DEPLOYMENT = "mlflow-operator-controller-manager"

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_DSC = "/apis/datasciencecluster.opendatahub.io/v2/datascienceclusters"
_DSCI = "/apis/dscinitialization.opendatahub.io/v2/dscinitializations"
_MLFLOW = "/apis/mlflow.opendatahub.io/v1/mlflows"
_MLFLOW_OPERATOR = "/apis/components.platform.opendatahub.io/v1alpha1/mlflowoperators"
_OLM = "/apis/operators.coreos.com/v1alpha1"


@dataclass(frozen=True)
class Wanted:
    """What is asked for: names as in the role's variables; `olm` whether OLM is looked at."""

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
    """What OLM holds about the operator. `served`: whether the cluster has OLM; `namespace`: where the operator is, or would be."""

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
    """Everything one look saw, as the API answered."""

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


def read(cluster: Cluster, wanted: Wanted) -> State:
    """Returns what is there now; a kind that the cluster does not know has no objects. Raises ClusterError."""
    namespace = wanted.applications_namespace
    dscis = _items(cluster, _DSCI) or []
    place = ((dscis[0].get("spec") or {}).get("applicationsNamespace") if dscis else "") or namespace
    deployed = deployments.look(cluster, place, MLFLOW_OPERATOR_DEPLOYMENT)
    return State(
        operator=_read_operator(cluster, wanted) if wanted.olm else OperatorState(),
        crds={name: cluster.get(f"{_CRDS}/{name}") for name in (DSC_CRD, DSCI_CRD, MLFLOW_CRD)},
        dscis=dscis,
        dscs=_items(cluster, _DSC) or [],
        mlflow_operator=cluster.get(f"{_MLFLOW_OPERATOR}/{MLFLOW_OPERATOR}"),
        mlflow_deployment=deployed.deployment,
        mlflows=_items(cluster, _MLFLOW) or [],
        applications_namespace=cluster.get(f"/api/v1/namespaces/{namespace}"),
        mlflow_operator_pods=deployed.pods,
    )


def _read_operator(cluster: Cluster, wanted: Wanted) -> OperatorState:
    """Returns OLM's objects of the operator: by our package's Subscription, else the CSV of any package that brings DataScienceCluster."""
    listed = _items(cluster, f"{_OLM}/subscriptions")
    if listed is None:
        return OperatorState(namespace=wanted.operator_namespace)
    ours = [item for item in listed if (item.get("spec") or {}).get("name") == wanted.package]
    subscription = next(iter(ours), None)
    names = _csv_names(subscription)
    if names:
        place = namespace_of(subscription)
        csvs = [csv for name in names if (csv := cluster.get(f"{_OLM}/namespaces/{place}/clusterserviceversions/{name}"))]
    else:
        # Copies are many and large: one in each namespace.
        seen = _items(cluster, f"{_OLM}/clusterserviceversions", "!olm.copiedFrom") or []
        csvs = [csv for csv in seen if owns(csv, "DataScienceCluster") and not is_copied(csv)]
        place = namespace_of(subscription) or (namespace_of(csvs[0]) if csvs else wanted.operator_namespace)
        # The CSV of another package, such as RHOAI, has a Subscription of its own that says how it is.
        subscription = subscription or next((item for item in listed if csvs and name_of(csvs[0]) in _csv_names(item)), None)
    deployments = {name: cluster.get(f"/apis/apps/v1/namespaces/{place}/deployments/{name}") for csv in csvs for name in deployment_names(csv)}
    plan = (((subscription or {}).get("status") or {}).get("installPlanRef")) or {}
    groups = _items(cluster, f"/apis/operators.coreos.com/v1/namespaces/{place}/operatorgroups") if place else None
    return OperatorState(
        served=True,
        namespace=place,
        subscription=subscription,
        install_plan=cluster.get(f"{_OLM}/namespaces/{plan.get('namespace') or place}/installplans/{plan['name']}") if plan.get("name") else None,
        csvs=csvs,
        deployments=deployments,
        operator_groups=[name_of(group) for group in groups or []],
        package=None if csvs or subscription else _read_package(cluster, wanted),
    )


def _read_package(cluster: Cluster, wanted: Wanted) -> dict[str, Any] | None:
    """Returns the PackageManifest of the wanted catalog; several catalogs may offer the same name, of which a GET answers any one."""
    path = f"/apis/packages.operators.coreos.com/v1/namespaces/{wanted.source_namespace}/packagemanifests"
    found = cluster.get(f"{path}/{wanted.package}")
    if found is None or (found.get("status") or {}).get("catalogSource") == wanted.source:
        return found
    offers = _items(cluster, path, f"catalog={wanted.source}") or []
    return next((offer for offer in offers if name_of(offer) == wanted.package), None)


def _csv_names(subscription: Mapping[str, Any] | None) -> list[str]:
    """Returns the CSVs that a Subscription names: the one installed and the one wanted now."""
    status = (subscription or {}).get("status") or {}
    return list(dict.fromkeys(name for name in (status.get("installedCSV"), status.get("currentCSV")) if name))


def _items(cluster: Cluster, path: str, selector: str = "") -> list[dict[str, Any]] | None:
    """Returns the objects of a kind, or None when the cluster does not serve it."""
    try:
        return cluster.items(path, selector)
    except ClusterError as error:
        if error.status == 404:
            return None
        raise
