# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator's pod: created, replaced and deleted against a fake of the cluster."""

from __future__ import annotations

import json

import jsonschema
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_lifecycle, pod_manifests
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from fakes.fake_generator_pod import AVOID, NAMESPACE, POD, POD_PATH, ROOT, SECRET_PATH, settings_of

SCRIPTS = pod_manifests.scripts(ROOT / "files" / "k6")


def test_a_pod_is_created_once(pod):
    del pod.objects[POD_PATH]
    result = pod_lifecycle.present(pod, settings_of(volume="claim", network_policy=True), SCRIPTS, {"token": b"t"})
    assert result["changed"]
    assert result["generator"] == {
        "kind": "pod",
        "namespace": NAMESPACE,
        "pod": POD,
        "image": "k6:1",
        "version": "1.1.0",
        "cores": 1.5,
        "memory_limit_bytes": 2**30,
        "node": "node0",
        "secret": f"{POD}-access",
        "proxy": None,
        "shares_node_with": [],
    }
    assert f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims/{POD}-results" in pod.objects
    assert not pod_lifecycle.present(pod, settings_of(volume="claim", network_policy=True), SCRIPTS, {"token": b"t"})["changed"]
    # The Secret still has the files of a cell when the pod is ensured without a token.
    pod_lifecycle.present(pod, settings_of(volume="claim", network_policy=True), SCRIPTS, {})
    assert pod.objects[SECRET_PATH]["data"]
    assert pod_lifecycle.absent(pod, settings_of()) == {"changed": True, "stays": []}
    assert pod_lifecycle.absent(pod, settings_of()) == {"changed": False, "stays": []}


def test_a_pod_with_another_digest_is_replaced(pod):
    pod.objects[POD_PATH]["metadata"]["uid"] = "old"
    assert pod_lifecycle.present(pod, settings_of(), SCRIPTS, {})["changed"]
    assert pod.objects[POD_PATH]["metadata"]["uid"] != "old"


def test_a_pod_that_does_not_get_its_secret_is_replaced_once(pod, monkeypatch):
    """The kubelet does not update the pod that is there, but mounts the Secret in a new one."""
    monkeypatch.setattr(pod_lifecycle.pod_secret.wait_until_mounted, "__defaults__", (0.1,))
    pod_lifecycle.present(pod, settings_of(), SCRIPTS, {})
    first = pod.objects[POD_PATH]["metadata"]["uid"]
    mount = pod.sync
    monkeypatch.setattr(pod, "sync", lambda: None)
    create = pod_lifecycle.create_pod
    monkeypatch.setattr(pod_lifecycle, "create_pod", lambda *arguments: (create(*arguments), mount()))
    assert pod_lifecycle.present(pod, settings_of(), SCRIPTS, {"token": b"t"})["changed"]
    assert pod.objects[POD_PATH]["metadata"]["uid"] != first
    monkeypatch.setattr(pod_lifecycle, "create_pod", create)
    with pytest.raises(ClusterError, match=r"not updated within 0\.1 s"):
        pod_lifecycle.present(pod, settings_of(), SCRIPTS, {"token": b"another"})


def test_a_missing_namespace_is_created(pod):
    del pod.objects["/api/v1/namespaces/bench"], pod.objects[POD_PATH]
    pod_lifecycle.present(pod, settings_of(), SCRIPTS, {})
    assert pod.objects["/api/v1/namespaces/bench"]["metadata"]["labels"]["perfscale.mlflow/run-id"] == "run-1"


@pytest.mark.parametrize("has_namespace", [True, False])
def test_check_mode_creates_nothing(pod, has_namespace):
    del pod.objects[POD_PATH]
    if not has_namespace:
        del pod.objects["/api/v1/namespaces/bench"]
    before = set(pod.objects)
    assert pod_lifecycle.present(pod, settings_of(), SCRIPTS, {}, dry_run=True) == {"changed": True, "generator": {}}
    assert set(pod.objects) == before
    assert pod.commands == []


def test_an_unmanaged_pod_is_left_alone(pod):
    pod.objects[POD_PATH]["metadata"]["labels"] = {}
    with pytest.raises(ClusterError, match=f"Pod {NAMESPACE}/{POD}: exists without the label"):
        pod_lifecycle.present(pod, settings_of(), SCRIPTS, {})
    assert pod_lifecycle.absent(pod, settings_of())["stays"] == []
    assert POD_PATH in pod.objects


def test_a_pod_in_which_k6_runs_is_not_replaced(pod, monkeypatch):
    monkeypatch.setattr(pod_lifecycle.PodRpc, "call", lambda _self, *_words: {"running": "17"})
    with pytest.raises(ClusterError, match=r"k6 runs in it \(pid 17\), but the settings need another pod"):
        pod_lifecycle.present(pod, settings_of(), SCRIPTS, {})


def test_a_pod_that_does_not_start_is_reported_with_the_reason(pod, monkeypatch):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}
    pending = {**pod.pod(phase="Pending", containerStatuses=[], conditions=[condition])}
    monkeypatch.setattr(pod_lifecycle, "get_pod", lambda *_arguments, **_options: pending)
    monkeypatch.setattr(pod_lifecycle, "_ensure_pod", lambda *_arguments: False)
    with pytest.raises(ClusterError, match=r"not started within \d+ s \(Unschedulable: 0/1 nodes are available\)"):
        pod_lifecycle.present(pod, settings_of(), SCRIPTS, {})


def test_an_image_without_k6_is_named(pod, monkeypatch):
    monkeypatch.setattr(pod_manifests, "PROGRAM", "no-such-program")
    with pytest.raises(ClusterError, match="no k6 on the PATH of image k6:1"):
        pod_lifecycle.present(pod, settings_of(), SCRIPTS, {})


def test_other_scripts_in_the_pod_are_named(pod):
    (pod.directory / "scripts" / "lib" / "client.js").write_text("// another")
    with pytest.raises(ClusterError, match=r"differs from the scripts of this collection \(lib/client\.js\)"):
        pod_lifecycle.present(pod, settings_of(), SCRIPTS, {})


def test_the_components_on_the_node_may_be_unknown(pod, monkeypatch):
    def forbid(*_arguments, **_options):
        raise ClusterError("no", 403)

    monkeypatch.setattr(pod, "items", forbid)
    assert pod_lifecycle.components_on_node(pod, AVOID, "node0", "load") is None


def test_without_permission_to_list_all_pods_those_of_the_own_namespace_are_found(pod, monkeypatch):
    def only_home(path, *_arguments, **_options):
        if path != "/api/v1/namespaces/load/pods":
            raise ClusterError("no", 403)
        return [{"metadata": {"name": "mlflow-1"}}]

    monkeypatch.setattr(pod, "items", only_home)
    assert pod_lifecycle.components_on_node(pod, AVOID, "node0", "load") == [entry["name"] for entry in AVOID]


def test_a_divided_load_has_the_pod_and_what_its_runners_are_created_with(pod):
    operator = {"namespace": "op", "starter_image": "s:1", "spread": "even", "round_vus": False, "start_margin_s": 30.0, "hold_s": 60}
    settings = settings_of(shards=3, operator=operator, node_selector={"load": "yes"}, network_policy=True)
    generator = pod_lifecycle.present(pod, settings, pod_manifests.scripts(ROOT / "files" / "k6"), {})["generator"]
    assert (generator["kind"], generator["pod"], generator["shards"], generator["cores"]) == ("k6_operator", POD, 3, 4.5)
    assert generator["runner"]["cores"] == 1.5
    assert generator["runner"]["node_selector"] == {"load": "yes"}
    assert (generator["runner"]["starter_image"], generator["runner"]["spread"]) == ("s:1", "even")
    policy = pod.objects[f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies/{POD}-runners"]["spec"]
    assert policy["ingress"][0]["ports"] == [{"protocol": "TCP", "port": 6565}]
    assert policy["ingress"][0]["from"][0] == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "op"}}}
    target = json.loads((ROOT / "files" / "schemas" / "target.json").read_text())["properties"]["generator"]
    jsonschema.validate(generator, target)


def test_a_new_service_account_is_waited_for(pod, monkeypatch):
    errors = [ClusterError("error looking up service account bench/default", 403)]
    real = pod_lifecycle.Objects.present

    def present(self, manifest, **options):
        if manifest["kind"] == "Pod" and errors:
            raise errors.pop()
        return real(self, manifest, **options)

    del pod.objects[POD_PATH]
    monkeypatch.setattr(pod_lifecycle.Objects, "present", present)
    assert pod_lifecycle.present(pod, settings_of(), SCRIPTS, {})["changed"]


def test_settings_reach_no_argument_of_a_command(pod):
    pod_lifecycle.present(pod, settings_of(), SCRIPTS, {"token": b"canary-token"})
    assert "canary" not in json.dumps(pod.commands)
