# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of Open Data Hub's operator: it writes the status that was recorded from the real one (v3.5.0), and creates what MLflow's operator consists of.

It works while the operator's Deployment is there, as OLM (or a test) puts it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.platform.opendatahub_state import (
    DSC_CRD,
    DSCI_CRD,
    MLFLOW_CRD,
    MLFLOW_OPERATOR,
    MLFLOW_OPERATOR_DEPLOYMENT,
)
from fake_opendatahub.controller import CRDS, FAKED, MLFLOW, FakeController, definitions, deployment, namespace, owner_of
from fake_opendatahub.olm import OPERATOR
from fake_opendatahub.webhook import DSC, DSCI, NAME, WEBHOOKS, Webhook, webhook_configuration

SEEN = yaml.safe_load((Path(__file__).resolve().parents[2] / "unit" / "fixtures" / "opendatahub" / "status_3.5.0.yml").read_text(encoding="utf-8"))
DSCS = f"/apis/{DSC}/v2/datascienceclusters"
DSCIS = f"/apis/{DSCI}/v2/dscinitializations"
OPERATORS = "/apis/components.platform.opendatahub.io/v1alpha1/mlflowoperators"
PROTECTION = "mlflow.opendatahub.io/mlflow-operator-protection"


class FakeOpenDataHub(FakeController):
    """Plays the operator in a namespace.

    `lag_s`: how late the first status comes after a change; `webhook_s`: how late the webhook serves; `stuck`: DSCInitialization stays Progressing;
    `broken`: conditions of other components that are not well; `silent`: MLflow's operator never writes a status; `creates`: a DSCInitialization that
    the operator creates itself, as RHOAI's does.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        lag_s: float = 0.0,
        webhook_s: float = 0.0,
        stuck: bool = False,
        broken: tuple[dict[str, str], ...] = (),
        silent: bool = False,
        creates: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(cluster)
        self.namespace, self.lag_s, self.webhook_s, self.stuck, self.broken, self.silent = namespace, lag_s, webhook_s, stuck, broken, silent
        self.creates = creates
        self.history: list[str] = []
        self.webhook = Webhook(lambda group: len(self.listed(DSCS if group == DSC else DSCIS)))

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.webhook.stop()

    def install(self) -> None:
        """Install the operator without OLM."""
        self.create("/api/v1/namespaces", namespace(self.namespace))
        self.define(definitions("opendatahub.yml"))
        self.create(f"/apis/apps/v1/namespaces/{self.namespace}/deployments", deployment(OPERATOR))
        self.create(WEBHOOKS, webhook_configuration())

    def uninstall(self) -> None:
        """Leave nothing of the operator and of its kinds behind; called when the fake has stopped."""
        self.remove(f"{WEBHOOKS}/{NAME}")
        for found in self.listed(OPERATORS):
            self.patch(f"{OPERATORS}/{found['metadata']['name']}", {"metadata": {"finalizers": None}})
        mlflow = self.cluster.get(f"{CRDS}/{MLFLOW_CRD}")
        played = [MLFLOW_CRD] if mlflow and FAKED.items() <= (mlflow["metadata"].get("labels") or {}).items() else []
        for name in (DSC_CRD, DSCI_CRD, "mlflowoperators.components.platform.opendatahub.io", *played):
            self.remove(f"{CRDS}/{name}")
        self.remove(f"/api/v1/namespaces/{self.namespace}")

    def step(self) -> None:
        if self.cluster.get(f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{OPERATOR}") is None:
            self.webhook.stop()
            self.forget("webhook")
            return
        if self.age("webhook") >= self.webhook_s:
            self.webhook.start()
        dscis = self.listed(DSCIS)
        if self.creates and self.age("webhook") >= self.webhook_s + 2:
            self.create(DSCIS, self.creates)
            self.creates = None
        for dsci in dscis:
            self._initialize(dsci)
        for dsc in self.listed(DSCS):
            place = (dscis[0]["spec"] if dscis else {}).get("applicationsNamespace", "opendatahub")
            self._reconcile(dsc, place)
        for operator in self.listed(OPERATORS):
            self._play_mlflow_operator(operator)

    def _status_at(self, steps: list[dict[str, Any]], age: float) -> dict[str, Any] | None:
        """Return the recorded step at an age; before the first there is none."""
        reached = [step for step in steps if step["after_s"] + self.lag_s <= age]
        return reached[-1] if reached else None

    def _initialize(self, dsci: dict[str, Any]) -> None:
        steps = SEEN["DSCInitialization"]["created"]
        step = self._status_at(steps[:1] if self.stuck else steps, self.age(dsci["metadata"]["uid"]))
        if step is None:
            return
        if step is steps[-1]:
            self.create("/api/v1/namespaces", namespace(dsci["spec"]["applicationsNamespace"]))
        self.write_status(f"{DSCIS}/{dsci['metadata']['name']}", dsci, step["status"])

    def _reconcile(self, dsc: dict[str, Any], place: str) -> None:
        if dsc["metadata"].get("deletionTimestamp"):
            return
        components = (dsc.get("spec") or {}).get("components") or {}
        managed = (components.get("mlflowoperator") or {}).get("managementState") == "Managed"
        generation = dsc["metadata"]["generation"]
        change = f"{dsc['metadata']['uid']} {generation}"
        self._place_mlflow_operator(dsc, place, managed)
        steps = SEEN["DataScienceCluster"]["managed" if managed else "removed"]
        operator = self.cluster.get(f"{OPERATORS}/{MLFLOW_OPERATOR}") if managed else None
        has_status = bool(operator and (operator.get("status") or {}).get("conditions"))
        step = self._status_at(steps if has_status or not managed else steps[:1], self.age(change))
        if step is None:
            return
        provisioned = {"observedGeneration": generation}
        reported = [{**entry, **(provisioned if entry["type"] == "ProvisioningSucceeded" else {})} for entry in step["status"]["conditions"]]
        status = {**step["status"], "conditions": reported}
        observed = generation if step["observed"] == "current" and not self.broken else ((dsc.get("status") or {}).get("observedGeneration"))
        if self.broken:
            status["phase"] = "Not Ready"
            status["conditions"] = [*(entry for entry in status["conditions"] if entry["type"] != "Ready"), {"type": "Ready", "status": "False"}, *self.broken]
        if observed:
            status["observedGeneration"] = observed
        if (dsc.get("status") or {}) != status:
            self.history.append(f"{status['phase']} {observed or '-'}/{generation}")
        self.write_status(f"{DSCS}/{dsc['metadata']['name']}", dsc, status)

    def _place_mlflow_operator(self, dsc: dict[str, Any], place: str, managed: bool) -> None:
        deployments = f"/apis/apps/v1/namespaces/{place}/deployments"
        found = self.cluster.get(f"{OPERATORS}/{MLFLOW_OPERATOR}")
        if managed:
            owner = owner_of(dsc, f"{DSC}/v2", "DataScienceCluster")
            metadata = {"name": MLFLOW_OPERATOR, "finalizers": [PROTECTION], "ownerReferences": [owner]}
            if self.cluster.get(f"{CRDS}/{MLFLOW_CRD}") is None:
                self.define([MLFLOW])
            self.create(deployments, deployment(MLFLOW_OPERATOR_DEPLOYMENT, owner))
            if found is None:
                kind = {"apiVersion": "components.platform.opendatahub.io/v1alpha1", "kind": "MLflowOperator"}
                self.create(OPERATORS, {**kind, "metadata": metadata, "spec": {}})
        elif found is not None and not found["metadata"].get("deletionTimestamp"):
            self.remove(f"{OPERATORS}/{MLFLOW_OPERATOR}")
        elif found is None:
            self.remove(f"{deployments}/{MLFLOW_OPERATOR_DEPLOYMENT}")

    def _play_mlflow_operator(self, operator: dict[str, Any]) -> None:
        """Report MLflow's operator, and release its own object when no MLflow is left."""
        path = f"{OPERATORS}/{operator['metadata']['name']}"
        if operator["metadata"].get("deletionTimestamp"):
            if not self.listed("/apis/mlflow.opendatahub.io/v1/mlflows"):
                self.patch(path, {"metadata": {"finalizers": None}})
            return
        step = self._status_at(SEEN["MLflowOperator"]["created"], self.age(operator["metadata"]["uid"]))
        if step and not self.silent:
            self.write_status(path, operator, step["status"])
