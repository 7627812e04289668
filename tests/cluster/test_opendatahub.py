# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role opendatahub on a real API server, where two fakes act as OLM and the operator of Open Data Hub with the status that was seen at the real ones."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from fake_opendatahub.controller import CRDS, definitions, namespace
from fake_opendatahub.olm import OLM, PACKAGES, FakeOlm
from fake_opendatahub.opendatahub import DSCIS, DSCS, OPERATORS, FakeOpenDataHub

OPERATOR_NAMESPACE, APPLICATIONS, CATALOGS = "c-odh-operator", "c-applications", "c-marketplace"
V34, V35 = "opendatahub-operator.v3.4.0", "opendatahub-operator.v3.5.0"
SUBSCRIPTIONS = f"{OLM}/namespaces/{OPERATOR_NAMESPACE}/subscriptions"
CSVS = f"{OLM}/namespaces/{OPERATOR_NAMESPACE}/clusterserviceversions"
PLANS = f"{OLM}/namespaces/{OPERATOR_NAMESPACE}/installplans"
OURS = {"app.kubernetes.io/managed-by": "perfscale.mlflow", "perfscale.mlflow/run-id": "run-1"}
DASHBOARD = {"type": "DashboardReady", "status": "False", "reason": "DeploymentNotReady", "message": "0/1 ready"}


@pytest.fixture(name="api", scope="module")
def fixture_api(cluster: Cluster, node: object) -> Cluster:
    """The test cluster, whose API server reaches the webhook on loopback; nothing of Open Data Hub or OLM may be on it before."""
    for manifest in [*definitions("olm.yml"), *definitions("opendatahub.yml")]:
        if cluster.get(f"{CRDS}/{manifest['metadata']['name']}"):
            pytest.skip(f"{manifest['metadata']['name']} is there already: the fakes would disturb a real one")
    return cluster


@pytest.fixture(name="clean", autouse=True)
def fixture_clean(api: Cluster) -> Iterator[None]:
    """Remove what a test left: definitions with their objects, namespaces, the webhook."""
    yield
    fake = FakeOpenDataHub(api, OPERATOR_NAMESPACE)
    fake.uninstall()
    names = [manifest["metadata"]["name"] for manifest in [*definitions("olm.yml"), *definitions("opendatahub.yml")]]
    for name in names:
        fake.remove(f"{CRDS}/{name}")
    gone = [{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name}} for name in names]
    for name in (OPERATOR_NAMESPACE, APPLICATIONS, CATALOGS):
        fake.remove(f"/api/v1/namespaces/{name}")
        gone.append(namespace(name))
    assert fake.objects.wait_gone(gone) == []


class Role:
    """Runs entry points of the role as run-1; `changed` and `output` are those of the last run."""

    def __init__(self, playbook: Callable[..., subprocess.CompletedProcess[str]], run_dir: Path) -> None:
        self.playbook, self.run_dir = playbook, run_dir
        self.changed, self.output = -1, ""

    def __call__(self, entry: str = "main", fails: bool = False, **variables: Any) -> Role:
        given = {
            "entry": entry,
            "opendatahub_operator_namespace": OPERATOR_NAMESPACE,
            "opendatahub_applications_namespace": APPLICATIONS,
            "opendatahub_source_namespace": CATALOGS,
            "opendatahub_run_dir": str(self.run_dir),
            "opendatahub_operator_timeout_s": 120,
            "opendatahub_timeout_s": 120,
            "opendatahub_removal_timeout_s": 60,
            **variables,
        }
        ran = self.playbook("tests/cluster/fake_opendatahub/role.yml", given)
        self.output = ran.stdout
        assert bool(ran.returncode) == fails, "\n".join(line for line in self.output.splitlines() if "ERROR" in line)
        recap = re.search(r"changed=(\d+)", self.output)
        self.changed = int(recap[1]) if recap else -1
        return self

    def tells(self, *texts: str) -> None:
        """Assert that the last run printed something; its line breaks do not matter."""
        flat = " ".join(self.output.split())
        assert [text for text in texts if text not in flat] == []

    @property
    def fingerprint(self) -> dict[str, Any]:
        return json.loads((self.run_dir / "target.json").read_text(encoding="utf-8"))["fingerprint"]


@pytest.fixture(name="role")
def fixture_role(playbook: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> Role:
    """Run the role."""
    return Role(playbook, tmp_path / "run-1")


@pytest.fixture(name="olm")
def fixture_olm(api: Cluster, request: pytest.FixtureRequest) -> Iterator[FakeOlm]:
    """OLM with a catalog that offers Open Data Hub; a test's parameter sets its behaviour."""
    fake = FakeOlm(api, **getattr(request, "param", {}))
    fake.create("/api/v1/namespaces", namespace(CATALOGS))
    fake.offer(CATALOGS)
    with fake:
        yield fake


def dsc(api: Cluster, name: str = "default-dsc") -> dict[str, Any]:
    """Return a DataScienceCluster, which must be there."""
    found = api.get(f"{DSCS}/{name}")
    assert found
    return found


def labels(found: dict[str, Any] | None) -> dict[str, str]:
    """Return the labels of an object, which must be there."""
    assert found
    return {key: value for key, value in (found["metadata"].get("labels") or {}).items() if key in OURS}


def existing(fake: FakeOpenDataHub, components: dict[str, str]) -> None:
    """Create what a user has: a DSCInitialization and a DataScienceCluster under names of his own."""
    fake.create(DSCIS, {"apiVersion": "dscinitialization.opendatahub.io/v2", "kind": "DSCInitialization", "metadata": {"name": "mine"}, "spec": DSCI_SPEC})
    spec = {"components": {name: {"managementState": state} for name, state in components.items()}}
    fake.create(DSCS, {"apiVersion": "datasciencecluster.opendatahub.io/v2", "kind": "DataScienceCluster", "metadata": {"name": "mine"}, "spec": spec})


DSCI_SPEC = {"applicationsNamespace": APPLICATIONS}


def until(seen: Any, what: str) -> None:
    """Wait until a question is answered with yes."""
    assert FakeOpenDataHub.eventually(seen), what


def test_from_nothing_through_olm_and_back(api: Cluster, olm: FakeOlm, role: Role) -> None:
    with FakeOpenDataHub(api, OPERATOR_NAMESPACE, webhook_s=4) as odh:
        role()
        assert role.changed > 0
        subscription = api.get(f"{SUBSCRIPTIONS}/opendatahub-operator")
        assert labels(subscription) == labels(api.get(f"{CSVS}/{V35}")) == labels(api.get(f"{DSCIS}/default-dsci")) == labels(dsc(api)) == OURS
        assert subscription
        assert subscription["spec"]["installPlanApproval"] == "Automatic"
        place = api.get(f"/api/v1/namespaces/{APPLICATIONS}")
        assert place
        assert place["metadata"]["labels"]["opendatahub.io/application-namespace"] == "true"
        assert dsc(api)["spec"] == {"components": {"mlflowoperator": {"managementState": "Managed"}}}
        assert dsc(api)["status"]["observedGeneration"] == dsc(api)["metadata"]["generation"]
        assert role.fingerprint == {
            "platform": "Open Data Hub",
            "platform_version": "3.5.0",
            "platform_operator": V35,
            "mlflow_operator": "localhost/none",
            "mlflow_operator_version": "3.5.0",
            "mlflow_operator_version_source": f"{V35}, which ships it",
        }
        before = dsc(api)["metadata"]["resourceVersion"]
        assert role().changed == 0
        assert role("describe").changed == 0
        assert dsc(api)["metadata"]["resourceVersion"] == before
        with pytest.raises(ClusterError, match="Only one instance of DSCInitialization object is allowed"):
            api.request("POST", DSCIS, body={"apiVersion": "dscinitialization.opendatahub.io/v2", "kind": "DSCInitialization", "metadata": {"name": "second"}})
        with pytest.raises(ClusterError, match="Cannot delete DSCInitialization v2 object"):
            api.request("DELETE", f"{DSCIS}/default-dsci")
        role("teardown", opendatahub_run_id="run-2")
        assert role.changed == 0
        assert dsc(api)
        role("teardown")
        assert "Not Ready" in odh.history[0]
        # The DataScienceCluster with MLflow's operator disabled may be deleted before its status comes.
        assert odh.history[-1] in ("Ready 1/1", "Ready 2/2")
        assert [found for path in (DSCS, DSCIS, OPERATORS, SUBSCRIPTIONS, CSVS) for found in api.items(path)] == []
        assert api.get(f"/api/v1/namespaces/{OPERATOR_NAMESPACE}") is None
        assert role("teardown").changed == 0


def test_a_pinned_version_is_approved_and_never_upgraded(api: Cluster, olm: FakeOlm, role: Role) -> None:
    olm.offer(CATALOGS, csv=V34)
    with FakeOpenDataHub(api, OPERATOR_NAMESPACE):
        role(opendatahub_starting_csv=V34)
        olm.offer(CATALOGS, csv=V35)
        until(lambda: len(api.items(PLANS)) == 2, "the upgrade is planned")
        assert role(opendatahub_starting_csv=V34).changed == 0
        assert {plan["metadata"]["name"]: plan["spec"]["approved"] for plan in api.items(PLANS)} == {"install-3-4-0": True, "install-3-5-0": False}
        assert role.fingerprint["platform_operator"] == V34


@pytest.mark.parametrize("olm", [{"together": ("other-operator.v1.0.0",)}], indirect=True)
def test_a_plan_with_other_operators_is_not_approved(api: Cluster, olm: FakeOlm, role: Role) -> None:
    role(fails=True, opendatahub_approval="Manual")
    role.tells("InstallPlan install-3-5-0: plan for opendatahub-operator.v3.5.0, other-operator.v1.0.0, not only opendatahub-operator.v3.5.0")
    assert [plan["spec"]["approved"] for plan in api.items(PLANS)] == [False]


@pytest.mark.parametrize("olm", [{"fails": {"type": "InstallPlanFailed", "status": "True", "message": "no rights"}}], indirect=True)
def test_a_failure_of_olm_ends_the_wait(olm: FakeOlm, role: Role) -> None:
    role(fails=True, opendatahub_operator_timeout_s=250)
    role.tells("Subscription opendatahub-operator: InstallPlanFailed=True (no rights)")


def test_what_cannot_be_installed_is_rejected_before_anything_is_created(api: Cluster, olm: FakeOlm, role: Role) -> None:
    role(fails=True, opendatahub_channel="stable")
    role.tells("has no channel stable. Allowed for opendatahub_channel: fast-3 (default fast-3).")
    assert api.get(f"/api/v1/namespaces/{OPERATOR_NAMESPACE}") is None
    assert api.get(PACKAGES.format(CATALOGS))


def test_an_existing_data_science_cluster_is_adopted_and_put_back(api: Cluster, role: Role) -> None:
    with FakeOpenDataHub(api, OPERATOR_NAMESPACE) as odh:
        odh.install()
        until(lambda: odh.webhook.serves, "the webhook serves")
        existing(odh, {"ray": "Managed", "mlflowoperator": "Removed"})
        until(lambda: (dsc(api, "mine").get("status") or {}).get("phase") == "Ready", "the cluster of others is ready")
        # From here on the first status after a change is late, so that the next reading sees the old one, Ready.
        odh.lag_s = 4
        role(opendatahub_use_olm=False)
        found = dsc(api, "mine")
        assert found["spec"]["components"] == {"ray": {"managementState": "Managed"}, "mlflowoperator": {"managementState": "Managed"}}
        assert found["status"]["observedGeneration"] == found["metadata"]["generation"] == 2
        assert labels(found) == {}
        assert odh.history[-2:] == ["Not Ready 1/2", "Ready 2/2"]
        assert role(opendatahub_use_olm=False).changed == 0
        role("teardown", opendatahub_use_olm=False)
        found = dsc(api, "mine")
        assert found["spec"]["components"] == {"ray": {"managementState": "Managed"}, "mlflowoperator": {"managementState": "Removed"}}
        assert not found["metadata"].get("annotations")
        assert api.items(OPERATORS) == []
        assert api.get(f"{DSCIS}/mine")
        assert role("teardown", opendatahub_use_olm=False).changed == 0


def test_a_broken_component_of_others_is_not_waited_for(api: Cluster, role: Role) -> None:
    with FakeOpenDataHub(api, OPERATOR_NAMESPACE, broken=(DASHBOARD,)) as odh:
        odh.install()
        until(lambda: odh.webhook.serves, "the webhook serves")
        existing(odh, {"dashboard": "Managed"})
        role(opendatahub_use_olm=False)
        assert "observedGeneration" not in dsc(api, "mine")["status"]
        odh.create("/apis/mlflow.opendatahub.io/v1/mlflows", {"apiVersion": "mlflow.opendatahub.io/v1", "kind": "MLflow", "metadata": {"name": "c-mlflow"}})
        role("teardown", opendatahub_use_olm=False).tells("MLflow c-mlflow still exists. Delete that first.")
        assert dsc(api, "mine")["spec"]["components"]["mlflowoperator"] == {"managementState": "Managed"}
        odh.remove("/apis/mlflow.opendatahub.io/v1/mlflows/c-mlflow")
        role("teardown", opendatahub_use_olm=False)
        assert dsc(api, "mine")["spec"]["components"] == {"dashboard": {"managementState": "Managed"}}


def test_time_that_is_up_names_what_was_seen(api: Cluster, role: Role) -> None:
    with FakeOpenDataHub(api, OPERATOR_NAMESPACE, stuck=True) as odh:
        odh.install()
        role(fails=True, opendatahub_use_olm=False, opendatahub_timeout_s=8)
        role.tells("DSCInitialization default-dsci to be Ready (phase Progressing)", "ReconcileComplete=Unknown (ReconcileInit:")


def test_an_operator_that_never_reports_is_named_and_can_be_accepted(api: Cluster, role: Role) -> None:
    with FakeOpenDataHub(api, OPERATOR_NAMESPACE, silent=True) as odh:
        odh.install()
        role(fails=True, opendatahub_use_olm=False, opendatahub_timeout_s=8)
        role.tells("MLflowOperator default-mlflowoperator has no status", "Set opendatahub_accept_missing_status to true")
        role(opendatahub_use_olm=False, opendatahub_accept_missing_status=True)


def test_what_a_managed_operator_creates_itself_is_managed(api: Cluster, olm: FakeOlm, role: Role) -> None:
    made = {"apiVersion": "dscinitialization.opendatahub.io/v2", "kind": "DSCInitialization", "metadata": {"name": "own-dsci"}, "spec": DSCI_SPEC}
    with FakeOpenDataHub(api, OPERATOR_NAMESPACE, creates=made):
        role(opendatahub_dsci_grace_s=30)
        assert [found["metadata"]["name"] for found in api.items(DSCIS)] == ["own-dsci"]
        assert labels(api.items(DSCIS)[0]) == OURS
        role(fails=True, opendatahub_applications_namespace="c-elsewhere")
        role.tells("DSCInitialization own-dsci: applications namespace c-applications instead of c-elsewhere")
        role("teardown")
        assert api.items(DSCIS) == []
        assert api.items(SUBSCRIPTIONS) == []
