# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of OLM: on a Subscription it creates an InstallPlan, a ClusterServiceVersion and an operator's Deployment, with the status seen at the real one.

It installs one package only, Open Data Hub, whose kinds and webhook come with it.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from fake_opendatahub.controller import FakeController, definitions, deployment, owner_of
from fake_opendatahub.webhook import WEBHOOKS, webhook_configuration

API = "operators.coreos.com/v1alpha1"
OLM = f"/apis/{API}"
PACKAGES = "/apis/packages.operators.coreos.com/v1/namespaces/{}/packagemanifests"
OPERATOR = "opendatahub-operator-controller-manager"
# Seconds at which a phase shows, measured from the creation of the version. A failure on the way recovers by itself.
PHASES = (
    (0.0, "Pending", "RequirementsNotMet"),
    (0.3, "InstallReady", "AllRequirementsMet"),
    (0.5, "Installing", "InstallSucceeded"),
    (0.9, "Failed", "ComponentUnhealthy"),
    (1.3, "Succeeded", "InstallSucceeded"),
)


class FakeOlm(FakeController):
    """Plays OLM. `together`: versions of other operators that come into the same plan; `fails`: a condition of every Subscription instead of a plan."""

    def __init__(self, cluster: Cluster, together: tuple[str, ...] = (), fails: dict[str, Any] | None = None) -> None:
        super().__init__(cluster)
        self.together = together
        self.fails = fails
        self.define(definitions("olm.yml"))

    def offer(self, namespace: str, channel: str = "fast-3", csv: str = "opendatahub-operator.v3.5.0") -> None:
        """Put Open Data Hub into a catalog; called again, a newer version of it."""
        path = PACKAGES.format(namespace)
        status = {
            "catalogSource": "community-operators",
            "defaultChannel": channel,
            "channels": [{"name": channel, "currentCSV": csv, "entries": [{"name": csv}]}],
        }
        name = "opendatahub-operator"
        self.create(path, {"apiVersion": "packages.operators.coreos.com/v1", "kind": "PackageManifest", "metadata": {"name": name}, "status": status})
        self.patch(f"{path}/{name}", {"status": status})

    def step(self) -> None:
        for csv in self.listed(f"{OLM}/clusterserviceversions"):
            self._advance(csv)
        for subscription in self.listed(f"{OLM}/subscriptions"):
            self._serve(subscription)
        for webhook in self.cluster.items(WEBHOOKS, "olm.owner.kind=ClusterServiceVersion"):
            place, _slash, name = webhook["metadata"]["annotations"]["olm.owner"].partition("/")
            if self.cluster.get(f"{OLM}/namespaces/{place}/clusterserviceversions/{name}") is None:
                self.remove(f"{WEBHOOKS}/{webhook['metadata']['name']}")

    def _serve(self, subscription: dict[str, Any]) -> None:
        spec, status, place = subscription["spec"], subscription.get("status") or {}, subscription["metadata"]["namespace"]
        path = f"{OLM}/namespaces/{place}/subscriptions/{subscription['metadata']['name']}"
        healthy = {"type": "CatalogSourcesUnhealthy", "status": "False", "reason": "AllCatalogSourcesHealthy"}
        offer = self.cluster.get(PACKAGES.format(spec["sourceNamespace"]) + f"/{spec['name']}")
        if self.fails or offer is None:
            self.write_status(path, subscription, {**status, "conditions": [healthy, self.fails or {"type": "ResolutionFailed", "status": "True"}]})
            return
        if self.age(f"unpack {subscription['metadata']['uid']}") < 0.3:
            self.write_status(path, subscription, {**status, "conditions": [healthy, {"type": "BundleUnpacking", "status": "True"}]})
            return
        installed, newest = status.get("installedCSV"), offer["status"]["channels"][0]["currentCSV"]
        wanted = newest if installed else spec.get("startingCSV") or newest
        if installed == wanted:
            self.write_status(path, subscription, {**status, "currentCSV": wanted, "state": "AtLatestKnown", "conditions": [healthy]})
            return
        approval = spec.get("installPlanApproval", "Automatic")
        name = f"install-{wanted.rpartition('.v')[2].replace('.', '-')}"
        plans = f"{OLM}/namespaces/{place}/installplans"
        plan_spec = {"approval": approval, "approved": approval == "Automatic", "clusterServiceVersionNames": [wanted, *self.together]}
        self.create(plans, {"apiVersion": API, "kind": "InstallPlan", "metadata": {"name": name}, "spec": plan_spec})
        plan = self.cluster.get(f"{plans}/{name}")
        approved = plan["spec"]["approved"]
        pending = {"type": "InstallPlanPending", "status": "True", "reason": "Installing" if approved else "RequiresApproval"}
        waiting = {"currentCSV": wanted, "state": "UpgradePending", "installPlanRef": {"name": name, "namespace": place}, "conditions": [healthy, pending]}
        self.write_status(path, subscription, {**status, **waiting})
        self.write_status(f"{plans}/{name}", plan, {"phase": "Installing" if approved else "RequiresApproval"})
        if approved:
            self._install(place, wanted)
            self.write_status(f"{plans}/{name}", self.cluster.get(f"{plans}/{name}"), {"phase": "Complete"})
            fresh = self.cluster.get(path)
            self.write_status(path, fresh, {**fresh["status"], "installedCSV": wanted, "state": "AtLatestKnown", "conditions": [healthy]})

    def _install(self, place: str, name: str) -> None:
        """Create the version with its definitions, its operator and its webhook."""
        owned = [{"kind": kind} for kind in ("DataScienceCluster", "DSCInitialization")]
        spec = {
            "version": name.rpartition(".v")[2],
            "customresourcedefinitions": {"owned": owned},
            "install": {"strategy": "deployment", "spec": {"deployments": [{"name": OPERATOR}]}},
        }
        path = f"{OLM}/namespaces/{place}/clusterserviceversions"
        self.create(path, {"apiVersion": API, "kind": "ClusterServiceVersion", "metadata": {"name": name}, "spec": spec})
        csv = self.cluster.get(f"{path}/{name}")
        self.define(definitions("opendatahub.yml"))
        self.create(f"/apis/apps/v1/namespaces/{place}/deployments", deployment(OPERATOR, owner_of(csv, API, "ClusterServiceVersion")))
        self.create(WEBHOOKS, webhook_configuration(f"{place}/{name}"))

    def _advance(self, csv: dict[str, Any]) -> None:
        place, name = csv["metadata"]["namespace"], csv["metadata"]["name"]
        path = f"{OLM}/namespaces/{place}/clusterserviceversions/{name}"
        groups = self.listed(f"/apis/operators.coreos.com/v1/namespaces/{place}/operatorgroups")
        if len(groups) != 1:
            self.write_status(path, csv, {"phase": "Failed", "reason": "TooManyOperatorGroups" if groups else "NoOperatorGroup"})
            return
        age = self.age(csv["metadata"]["uid"])
        _since, phase, reason = [entry for entry in PHASES if entry[0] <= age][-1]
        self.write_status(path, csv, {"phase": phase, "reason": reason})
