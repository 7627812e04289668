# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator's pod: its manifests, and making, replacing and removing it against a stand-in of the cluster."""

from __future__ import annotations

import json

import pytest
from pod_stand_in import NAMESPACE, POD, POD_PATH, ROOT, SECRET_PATH

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_definition, pod_layout, pod_place
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError

FILES = pod_definition.scripts(ROOT / "files" / "k6")
AVOID = [{"name": "mlflow", "labels": {"app": "mlflow"}, "namespaces": []}, {"name": "db", "labels": {"app": "db"}, "namespaces": ["data"]}]


def settings_of(**changes):
    return {
        "name": POD,
        "namespace": NAMESPACE,
        "run_id": "run-1",
        "image": "k6:1",
        "image_pull_policy": "IfNotPresent",
        "resources": {"limits": {"cpu": "1500m", "memory": "1Gi"}},
        "volume": "empty_dir",
        "volume_size": "1Gi",
        "avoid": AVOID,
        "avoid_required": False,
        "network_policy": False,
        "timeout_s": 0.5,
        **changes,
    }


def test_the_pod_is_restricted_and_knows_no_secret():
    spec = pod_definition.pod(settings_of(run_as_user=7, fs_group=8, image_pull_secrets=["pull"], mlflow_url="http://m"), FILES)["spec"]
    container = spec["containers"][0]
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, "runAsUser": 7, "fsGroup": 8}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert not spec["automountServiceAccountToken"] and not spec["enableServiceLinks"]
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert {"name": "MLFLOW_URL", "value": "http://m"} in container["env"]
    paths = [item["path"] for item in spec["volumes"][0]["configMap"]["items"]]
    assert {"mlflow_scale_test.js", "lib/settings.js", "journeys/training.js", "pod/load.sh"} <= set(paths)


def test_the_scripts_fit_into_a_config_map():
    data = pod_definition.config_map(settings_of(), FILES)["data"]
    assert "lib__settings.js" in data
    assert sum(len(text.encode()) for text in data.values()) < 2**20


@pytest.mark.parametrize("required", [pytest.param(True, id="required"), pytest.param(False, id="preferred")])
def test_anti_affinity_reaches_other_namespaces(required):
    rules = pod_definition.affinity(AVOID, required)["podAntiAffinity"]
    (name, entries), = rules.items()
    assert name.startswith("required" if required else "preferred")
    terms = entries if required else [entry["podAffinityTerm"] for entry in entries]
    assert [term.get("namespaceSelector") for term in terms] == [{}, None]
    assert terms[1]["namespaces"] == ["data"]


def test_nothing_to_avoid_is_no_affinity():
    assert "affinity" not in pod_definition.pod(settings_of(avoid=[]), FILES)["spec"]


def test_a_pod_is_made_once(pod):
    del pod.objects[POD_PATH]
    made = pod_place.present(pod, settings_of(volume="claim", network_policy=True), FILES, {"token": b"t"})
    assert made["changed"]
    assert made["generator"] == {
        "kind": "pod",
        "namespace": NAMESPACE,
        "pod": POD,
        "image": "k6:1",
        "version": "1.1.0",
        "cores": 1.5,
        "memory_limit_bytes": 2**30,
        "node": "node0",
        "secret": f"{POD}-access",
        "shares_node_with": [],
    }
    assert f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims/{POD}-results" in pod.objects
    assert not pod_place.present(pod, settings_of(volume="claim", network_policy=True), FILES, {"token": b"t"})["changed"]
    # What a cell put into the Secret stays when the pod is looked after without a token.
    pod_place.present(pod, settings_of(volume="claim", network_policy=True), FILES, {})
    assert pod.objects[SECRET_PATH]["data"]
    assert pod_place.absent(pod, settings_of()) == {"changed": True, "stays": []}
    assert pod_place.absent(pod, settings_of()) == {"changed": False, "stays": []}


def test_a_pod_made_of_something_else_is_replaced(pod):
    pod.objects[POD_PATH]["metadata"]["uid"] = "old"
    assert pod_place.present(pod, settings_of(), FILES, {})["changed"]
    assert pod.objects[POD_PATH]["metadata"]["uid"] != "old"


def test_a_new_namespace_is_made(pod):
    del pod.objects["/api/v1/namespaces/bench"], pod.objects[POD_PATH]
    pod_place.present(pod, settings_of(), FILES, {})
    assert pod.objects["/api/v1/namespaces/bench"]["metadata"]["labels"]["perfscale.mlflow/run-id"] == "run-1"


@pytest.mark.parametrize("has_namespace", [True, False])
def test_check_mode_makes_nothing(pod, has_namespace):
    del pod.objects[POD_PATH]
    if not has_namespace:
        del pod.objects["/api/v1/namespaces/bench"]
    before = set(pod.objects)
    assert pod_place.present(pod, settings_of(), FILES, {}, dry_run=True) == {"changed": True, "generator": {}}
    assert set(pod.objects) == before
    assert pod.commands == []


def test_a_foreign_pod_is_named(pod):
    pod.objects[POD_PATH]["metadata"]["labels"] = {}
    with pytest.raises(ClusterError, match=f"Pod {NAMESPACE}/{POD}: exists without the label"):
        pod_place.present(pod, settings_of(), FILES, {})
    assert not pod_place.absent(pod, settings_of())["stays"] and POD_PATH in pod.objects


def test_a_pod_in_which_k6_runs_is_not_replaced(pod, monkeypatch):
    monkeypatch.setattr(pod_place.PodScript, "ask", lambda _self, *_words: {"running": "17"})
    with pytest.raises(ClusterError, match=r"k6 runs in it \(pid 17\), and the settings want another pod"):
        pod_place.present(pod, settings_of(), FILES, {})


def test_a_pod_that_does_not_start_says_why(pod, monkeypatch):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}
    pending = {**pod.pod(phase="Pending", containerStatuses=[], conditions=[condition])}
    monkeypatch.setattr(pod_place, "get", lambda *_arguments, **_options: pending)
    monkeypatch.setattr(pod_place, "_pod", lambda *_arguments: False)
    with pytest.raises(ClusterError, match=r"did not start within \d+ s \(Unschedulable: 0/1 nodes are available\)"):
        pod_place.present(pod, settings_of(), FILES, {})


def test_an_image_without_k6_is_named(pod, monkeypatch):
    monkeypatch.setattr(pod_layout, "PROGRAM", "no-such-program")
    with pytest.raises(ClusterError, match="image k6:1 has no k6 on its PATH"):
        pod_place.present(pod, settings_of(), FILES, {})


def test_other_scripts_in_the_pod_are_named(pod):
    (pod.directory / "scripts" / "lib" / "client.js").write_text("// another")
    with pytest.raises(ClusterError, match=r"other contents than this collection \(lib/client\.js\)"):
        pod_place.present(pod, settings_of(), FILES, {})


def test_who_shares_the_node_may_be_unknown(pod, monkeypatch):
    def refuse(*_arguments, **_options):
        raise ClusterError("no", 403)

    monkeypatch.setattr(pod, "items", refuse)
    assert pod_place.neighbours(pod, AVOID, "node0", "load") is None


def test_who_may_not_list_all_pods_sees_those_of_the_own_namespace(pod, monkeypatch):
    def only_home(path, *_arguments, **_options):
        if path != "/api/v1/namespaces/load/pods":
            raise ClusterError("no", 403)
        return [{"metadata": {"name": "mlflow-1"}}]

    monkeypatch.setattr(pod, "items", only_home)
    assert pod_place.neighbours(pod, AVOID, "node0", "load") == [entry["name"] for entry in AVOID]


def test_a_new_service_account_is_waited_for(pod, monkeypatch):
    answers = [ClusterError("error looking up service account bench/default", 403)]
    real = pod_place.Objects.present

    def present(self, manifest, **options):
        if manifest["kind"] == "Pod" and answers:
            raise answers.pop()
        return real(self, manifest, **options)

    del pod.objects[POD_PATH]
    monkeypatch.setattr(pod_place.Objects, "present", present)
    assert pod_place.present(pod, settings_of(), FILES, {})["changed"]


def test_settings_reach_no_argument_of_a_command(pod):
    pod_place.present(pod, settings_of(), FILES, {"token": b"canary-token"})
    assert "canary" not in json.dumps(pod.commands)
