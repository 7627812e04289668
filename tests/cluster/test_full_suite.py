# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole job in a real cluster: the real MLflow with its real authorization, tenants as namespaces, k6 in a pod and divided among two, both
databases, both addresses.

A user runs it who has the permissions of files/kubernetes/rbac.yml and no others, logged in as an automation controller logs in. An administrator
installed the operator before.
"""

from __future__ import annotations

import csv
import json
import re

import pytest

import administrator
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.preflight import granted_permissions
from audit_log import compare, used_permissions
from cluster_suite import MANAGED, ClusterSuite, nothing_left
from fake_gateway import service
from fake_k6_operator import manifests as k6_manifests
from run_settings import settings_for

ORDER = {"test_matrix_tenants": "1,3", "run_id": "sqlite", "report_formats": "csv,markdown,junit,openmetrics,charts,html"}
# What these runs have no reason to use, and who does.
ELSEWHERE = {
    # tenants beyond those of a level, or bound to other roles or accounts (test_permissions)
    "patch namespaces",
    "patch rolebindings.rbac.authorization.k8s.io",
    "delete rolebindings.rbac.authorization.k8s.io",
    # what an operator created that does not start (test_mlflow_server)
    "list replicasets.apps in opendatahub",
    # API servers from Kubernetes 1.35 on, for the same request
    "create pods/exec in opendatahub",
}
RUNS = ("sqlite", "gateway", "postgres")
MADE_HERE = f"{MANAGED},perfscale.mlflow/run-id in ({','.join(RUNS)})"


@pytest.fixture(name="suite", scope="module")
def fixture_suite(cluster, images, prometheus, tmp_path_factory):
    """One suite for all tests of this file, torn down to the last object at the end."""
    settings = settings_for(tmp_path_factory.mktemp("operator"), images, prometheus)
    with administrator.prepared(cluster, images, divides=True) as login:
        suite = ClusterSuite(tmp_path_factory.mktemp("cluster-suite"), {**settings, "mlflow_operator_manifests": []}, login)
        yield suite
        # One by one: others share the cluster with these tests, and their tenants must not be deleted.
        for run_id in RUNS:
            suite.play("teardown", {"run_id": run_id})


@pytest.fixture(name="sqlite", scope="module")
def fixture_sqlite(suite):
    """The suite with SQLite, the Service as its target, and two tenant counts; with its output, which holds all that Ansible prints."""
    return suite, suite.play("full_suite", ORDER, "-vvvvv")


def test_the_suite_ends_well(sqlite):
    suite, finished = sqlite
    assert finished.returncode == 0
    run = suite.run_json("sqlite")
    assert [(cell["id"], cell["verdict"]["status"]) for cell in run["cells"]] == [("t1-c5-r1", "valid"), ("t3-c5-r1", "valid")]


@pytest.mark.parametrize("cell_id", ["t1-c5-r1", "t3-c5-r1"])
def test_every_operation_is_sampled_and_none_fails(sqlite, cell_id):
    cell = sqlite[0].cell(cell_id, "sqlite")
    assert len(cell["operations"]) == 16
    assert [name for name, block in cell["operations"].items() if not block["n"]] == []
    assert {name: block["failed_by"] for name, block in cell["operations"].items() if block["failed"]} == {}
    assert cell["attempts"][-1]["outcome"] == "valid"


@pytest.mark.parametrize("cell_id", ["t1-c5-r1", "t3-c5-r1"])
def test_resources_of_pods_are_measured(sqlite, cell_id):
    cell = sqlite[0].cell(cell_id, "sqlite")
    for component in ("mlflow", "k6_benchmark"):
        resource = cell["resources"][component]
        assert resource["status"] == "ok", resource
        assert resource["cpu_cores_mean"] > 0
        assert resource["memory_bytes_mean"] > 1e7
        assert len(resource["instances"]) == 1
    assert cell["generator"]["node"]
    assert cell["resources"]["mlflow"]["restarts"] == 0


@pytest.mark.parametrize("cell_id", ["t1-c5-r1", "t3-c5-r1"])
def test_nothing_disturbed_a_cell_and_its_rows_are_counted(sqlite, cell_id):
    cell = sqlite[0].cell(cell_id, "sqlite")
    assert (cell["notes"]["disturbances"], cell["notes"]["missing_tenants"], cell["tenant_outage"]) == ([], [], None)
    assert cell["rows"]["after"]["runs"] > cell["rows"]["before"]["runs"] > 0
    assert cell["database_bytes"]["after"] >= cell["database_bytes"]["before"] > 0
    assert cell["timings"]["load_s"] >= cell["window"]["end"] - cell["window"]["start"]


def test_list_workspaces_is_the_tenants_and_nothing_else(sqlite):
    for cell_id in ("t1-c5-r1", "t3-c5-r1"):
        assert sqlite[0].cell(cell_id, "sqlite")["notes"]["foreign_workspaces"] == []


def test_the_record_has_what_was_measured(sqlite):
    suite, _finished = sqlite
    factors = suite.cell("t1-c5-r1", "sqlite")["spec"]["factors"]
    assert (factors["target"], factors["db_backend"], factors["replicas"], factors["workers"]) == ("internal", "sqlite", 1, 1)
    assert (factors["token_mode"], factors["metrics_profile"]) == ("shared", "kubernetes")
    target = suite.target("sqlite")
    assert target["mlflow"]["workspace_backend"] == "namespace"
    assert target["mlflow"]["tls_verify"]
    assert target["generator"]["kind"] == "pod"
    assert "mlflow" in target["generator"]["shares_node_with"]
    fingerprint = suite.run_json("sqlite")["fingerprint"]
    [node] = fingerprint["nodes"]
    assert (node["cpu_cores"] > 0, node["memory_bytes"] > 2**30, bool(node["architecture"])) == (True, True, True)
    assert fingerprint["kubernetes"].startswith("v1.")
    assert fingerprint["storage_class"]
    # The fake operator is of the image of MLflow, whose tag is a version.
    assert fingerprint["mlflow_operator_version"] == fingerprint["mlflow_operator"].rpartition(":")[2]
    assert fingerprint["k6"] == factors["k6_version"]
    assert all(fingerprint["images"][component] for component in ("mlflow", "k6_benchmark"))


def test_orchestration_sends_each_query_to_prometheus_once(sqlite):
    output = sqlite[1].stdout
    assert "Traceback" not in output
    with (sqlite[0].results / "sqlite" / "cells" / "t1-c5-r1" / "metrics_1_concurrency_5.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    assert {"mlflow", "k6_benchmark"} <= {row["component"] for row in rows}


def test_a_later_run_uses_the_objects_of_an_earlier_one(sqlite):
    suite, _finished = sqlite
    again = suite.play("deploy", {"run_id": "gateway"}, env={"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"})
    assert again.returncode == 0
    changed = re.findall(r"TASK \[perfscale\.mlflow\.\w+ : ([^\]]+)\] \*+\n(?:.*\n)?changed: ", again.stdout)
    # The directory of the run is written again, and the Secret of the pod gets the fresh token.
    assert [name for name in changed if not re.search(r"target\.json|CA bundle|load generator pod", name)] == []


def test_no_token_is_anywhere(sqlite, cluster, node):
    """The token of the latest cell, in nothing that the suite left, printed or sent, and in no object but its Secret."""
    suite, finished = sqlite
    token = (suite.directory / ".perfscale" / "kubernetes" / "load.token").read_text(encoding="utf-8").strip()
    secret = token.split(".")[2]
    assert len(secret) > 40
    assert [path for path in suite.results.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()] == []
    assert secret not in finished.stdout
    assert suite.login["K8S_AUTH_API_KEY"].split(".")[2] not in finished.stdout
    assert secret not in node.audit_log.read_text(encoding="utf-8", errors="replace")
    for path in ("/api/v1/pods", "/api/v1/configmaps", "/api/v1/events", "/apis/apps/v1/deployments", "/apis/mlflow.opendatahub.io/v1/mlflows"):
        assert secret not in json.dumps(cluster.items(path)), path


def test_a_diagnosis_needs_no_other_permissions(sqlite):
    suite, _finished = sqlite
    assert suite.play("diagnose", {"run_id": "sqlite"}).returncode == 0
    found = {path.name: path.read_text(encoding="utf-8") for path in (suite.results / "sqlite" / "diagnosis").iterdir()}
    # Events quote what others were not allowed to do, such as a Deployment whose service account came a moment later.
    assert [name for name, text in found.items() if "forbidden" in text.lower() and not name.endswith("_event.yml")] == []
    assert "name: mlflow" in found["opendatahub_mlflow.yml"]
    assert "type: Available" in found["opendatahub_deployment.yml"]
    assert any(name.startswith("opendatahub_mlflow-") and "GET /" in text for name, text in found.items()), sorted(found)


def test_the_gateway_is_a_target_of_its_own(sqlite, cluster, node, tmp_path):
    """Through a TLS reverse proxy, with a matrix of its own beside the first run in one report, and a load that the fake k6-operator divides.

    Its starter has an image without curl, so it fails as the real one would, and what it left paused is started through the API server.
    """
    suite, _finished = sqlite
    with service(cluster, tmp_path, suite.target("sqlite")["mlflow"]) as (url, ca_file):
        variables = {
            "run_id": "gateway",
            "test_matrix_tenants": 3,
            # Two runners have as many of each kind of virtual user: 2 that train, 8 that browse.
            "test_matrix_concurrency": 10,
            "k6_runner_kind": "k6_operator",
            "k6_runner_shards": 2,
            "k6_runner_starter_image": suite.settings["k6_runner_pod_image"],
            "mlflow_server_external_url": f"{url}/mlflow",
            "mlflow_server_external_ca_file": ca_file,
        }
        assert suite.play("full_suite", variables).returncode == 0
    cell = suite.cell("t3-c10-r1", "gateway")
    assert cell["spec"]["factors"]["target"] == "external"
    assert cell["verdict"]["status"] == "valid"
    assert suite.target("gateway")["mlflow"]["url"] == f"{url}/mlflow"


def test_both_runners_of_a_divided_load_are_in_one_record(suite, cluster):
    """Run after the one above."""
    cell, target = suite.cell("t3-c10-r1", "gateway"), suite.target("gateway")
    assert (target["generator"]["kind"], target["generator"]["shards"]) == ("k6_operator", 2)
    assert target["fingerprint"]["k6_operator_version"] == k6_manifests.VERSION
    first, second = cell["shards"]["members"]
    assert (first["exit_code"], second["exit_code"]) == (0, 0)
    assert first["n"] + second["n"] == cell["total"]["n"]
    assert min(first["n"], second["n"]) > 0
    assert cell["shards"]["start_skew_s"] < 1
    assert cluster.items("/apis/k6.io/v1alpha1/testruns") == []


def test_postgresql_with_two_replicas_and_both_databases_in_one_report(sqlite, suite, tmp_path):
    assert suite.play("teardown", {"run_id": "sqlite"}).returncode == 0
    options = {"mlflow_server_replicas": 2, "workspaces_token_mode": "per_tenant", "k6_runner_pod_volume": "claim", "k6_runner_pod_network_policy": True}
    variables = {"run_id": "postgres", "test_matrix_tenants": 2, "test_matrix_concurrency": "4,5", "test_matrix_duration": "20s", **options}
    assert suite.play("full_suite", {**variables, "data_set_method": "clone"}, env={"DB_BACKEND": "postgres"}).returncode == 0
    cell = suite.cell("t2-c5-r1", "postgres")
    assert cell["spec"]["factors"]["token_mode"] == "per_tenant"
    assert cell["spec"]["factors"]["db_backend"] == "postgres"
    assert cell["verdict"]["status"] == "valid"
    replicas = cell["resources"]["mlflow"]
    assert cell["spec"]["factors"]["replicas"] == len(replicas["instances"]) == 2
    assert replicas["cpu_cores_mean"] == pytest.approx(sum(pod["cpu_cores_mean"] for pod in replicas["instances"].values()), rel=0.01)
    assert cell["resources"]["postgresql"]["status"] == "ok"
    assert cell["resources"]["postgresql"]["cpu_cores_mean"] > 0
    assert cell["rows"]["after"]["runs"] > cell["rows"]["before"]["runs"] > 0
    assert cell["database_bytes"]["after"] >= cell["database_bytes"]["before"] > 2**20
    sources = [str(suite.results / name) for name in ("sqlite", "postgres", "gateway")]
    assert suite.play("report", {"report_sources": sources, "report_output_dir": str(tmp_path)}).returncode == 0
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert ", database sqlite, replicas 1, workers 1" in summary
    assert all(factors in summary for factors in ("sqlite, replicas=1, internal", "postgres, replicas=2, internal", "sqlite, replicas=1, external"))


def test_the_second_tenant_with_postgresql_is_a_clone(suite):
    """Run after the one above: one tenant was filled through REST, and both were found complete."""
    [summary] = (suite.results / "postgres" / "prefill").rglob("prefill_summary.json")
    assert list(json.loads(summary.read_text(encoding="utf-8"))["tenants"]) == ["1"]
    rows = suite.cell("t2-c4-r1", "postgres")["start_state"]["baseline"]["rows"]
    assert rows["runs"] % 2 == 0
    assert rows["runs"] > 0


def test_cells_with_postgresql_start_from_the_same_rows(suite):
    """Run after the one above: its second cell is restored to what its first one started from, by Jobs."""
    first, second = (suite.cell(cell_id, "postgres") for cell_id in ("t2-c4-r1", "t2-c5-r1"))
    assert suite.run_json("postgres")["plan"]["settings"]["state_reset"] == "cell"
    assert [cell["start_state"]["status"] for cell in (first, second)] == ["restored", "restored"]
    assert [cell["start_state"]["reason"] for cell in (first, second)] == [None, None]
    assert first["rows"]["before"] == second["rows"]["before"] == {name: count for name, count in second["start_state"]["baseline"]["rows"].items() if count}
    assert first["rows"]["after"]["runs"] > second["rows"]["before"]["runs"]
    # The artifacts of the first cell's runs.
    assert second["start_state"]["removed_runs"] > 0


def test_jobs_leave_nothing(suite, cluster):
    """Run after the one above."""
    assert cluster.items("/apis/batch/v1/jobs", selector="perfscale.mlflow/role=database-job") == []


def test_teardown_removes_only_the_objects_of_its_run(suite, cluster):
    """Run last but one. The operator, which this collection did not install, remains too."""
    with nothing_left(cluster, MADE_HERE):
        another = suite.play("teardown", {"run_id": "gateway"})
        assert another.returncode == 0
        assert "MLflow mlflow: created by run postgres" in another.stdout
        assert suite.play("teardown", {"run_id": "postgres"}).returncode == 0
    assert cluster.items("/apis/mlflow.opendatahub.io/v1/mlflows") == []
    assert cluster.get("/apis/apps/v1/namespaces/opendatahub/deployments/mlflow-operator-controller-manager")


def test_the_runs_used_exactly_the_permissions_that_they_have(suite, node):
    """Compare with the audit log of the API server, over everything above."""
    used = used_permissions(node.audit_log.read_text(encoding="utf-8").splitlines(), administrator.USER)
    found = compare(granted_permissions(administrator.SHIPPED, {}), used)
    assert set(map(str, found["unused"])) - ELSEWHERE == set()
    assert [str(permission) for permission in found["uncovered"]] == []
