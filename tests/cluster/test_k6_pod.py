# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load from a real pod, or divided among several: run, attached to, used after the fact, and what happens when something of it is lost.

MLflow is simulated on the node, the k6-operator by a process there.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import attempt, pod_files, pod_lifecycle, pod_rpc
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import Load
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects
from fake_k6_operator import manifests as k6_manifests
from fakes.k6_configs import load_config
from fakes.simulated_mlflow import simulated_url
from generator.detour import detour
from generator.pods import CELL, NAME, Generator, until
from node import layout

ROOT = Path(__file__).resolve().parents[2]
CANARY = "canary-token-of-the-generator"


@pytest.fixture
def generator(cluster, namespace, images, tmp_path) -> Generator:
    """A generator whose pod is not created yet, in a namespace that admits only restricted pods."""
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    cluster.request("PATCH", f"/api/v1/namespaces/{namespace}", body=labels, content_type="application/merge-patch+json")
    return Generator(cluster, namespace, images["k6"], tmp_path)


@pytest.fixture
def mlflow(node):
    """URL of a simulated MLflow that pods can reach."""
    with simulated_url(host=layout.ADDRESS) as url:
        yield url


@pytest.fixture
def divided(generator, cluster, images, kubeconfig, tmp_path):
    """The generator, with loads that a fake of the k6-operator divides among two runners."""
    definition = next(manifest for manifest in k6_manifests.objects("") if manifest["kind"] == "CustomResourceDefinition")
    Objects(cluster).present(definition)
    environment = {**os.environ, "KUBECONFIG": kubeconfig, "WATCH_NAMESPACE": generator.settings["namespace"], "READY_FILE": str(tmp_path / "ready")}
    environment["PYTHONPATH"] = str(k6_manifests.PROGRAM[-1].parent)
    operator = subprocess.Popen([sys.executable, str(k6_manifests.PROGRAM[0])], env=environment)
    try:
        settings = {"starter_image": images["mlflow"], "spread": "even", "round_vus": True, "start_margin_s": 25.0, "hold_s": 600}
        generator.create(shards=2, operator=settings, run_as_user=12345)
        yield generator
    finally:
        operator.kill()
        operator.wait()
        Objects(cluster, timeout_s=60).delete(definition)


def runner_of(generator, shard):
    """Return the name of the pod of a shard."""
    selector = f"job-name={generator.state()['handle']['test_run']}-{shard}"
    [pod] = generator.cluster.items(f"/api/v1/namespaces/{generator.settings['namespace']}/pods", selector)
    return pod["metadata"]["name"]


def shards_of(generator):
    """Return the entries of shards.json."""
    return json.loads((Path(generator.state()["directory"]) / "shards.json").read_text())["shards"]


def config_of(url, seconds=6, **changes):
    return load_config(url, cell_id=CELL, warmup_s=1, window_s=seconds, summary_file="summary_tenants-3_concurrency_5.json", **changes)


def numbers_of(generator):
    result = generator.result()
    return build_result(Attempt(directory=Path(result["directory"]), dest=Path(result["directory"]), exit_code=result["exit_code"]))["result"]


def test_a_load_runs_through(generator, mlflow):
    assert generator.create()
    assert not generator.create()
    assert (generator.target["version"], generator.target["cores"], generator.target["node"]) == ("1.1.0", 1.0, generator.pod()["spec"]["nodeName"])
    assert generator.load(config_of(mlflow)) == 0
    result = generator.result()
    assert (result["n"], result["attached"], result["exit_code"], result["node"]) == (1, False, 0, generator.target["node"])
    assert result["exit"]["cpu_seconds"] > 0
    assert "requests/s" in generator.output()
    names = {path.name for path in Path(result["directory"]).iterdir()}
    assert names == {"load_config.json", "k6.log", "k6.exit.json", "raw.csv.gz", "summary_tenants-3_concurrency_5.json"}
    numbers = numbers_of(generator)
    assert not numbers["partial"]
    assert numbers["total"]["n"] > 20
    assert not numbers["warnings"]
    seen = result["requests"]
    raw = gzip.decompress((Path(result["directory"]) / "raw.csv.gz").read_bytes())
    assert 0 < seen <= raw.count(b"\nhttp_req_duration,")
    # Nothing of it remains in the pod.
    listed = _kubectl(generator, "exec", NAME, "--", "ls", "/results")
    assert listed.stdout.split() == []


def test_a_killed_controller_is_followed_by_one_that_attaches(generator, mlflow):
    generator.create()
    config = config_of(mlflow, seconds=20)
    first = generator.play(config)
    until("progress", lambda: "requests/s" in generator.output())
    os.killpg(first.pid, signal.SIGKILL)
    handle = generator.state()["handle"]
    assert generator.load(config) == 0
    result = generator.result()
    assert (result["n"], result["attached"], result["handle"], result["exit_code"]) == (1, True, handle, 0)
    assert not numbers_of(generator)["partial"]


def test_a_controller_that_starts_from_nothing_finds_its_load(generator, mlflow):
    """The state of a job in a fresh container: the run, the settings, and the load generator pod."""
    generator.create()
    config = config_of(mlflow, seconds=20)
    first = generator.play(config)
    until("progress", lambda: "requests/s" in generator.output())
    os.killpg(first.pid, signal.SIGKILL)
    handle = generator.state()["handle"]
    shutil.rmtree(generator.cell)
    assert generator.load(config) == 0
    result = generator.result()
    assert (result["n"], result["attached"], result["handle"], result["exit_code"]) == (1, True, handle, 0)
    assert not numbers_of(generator)["partial"]


def test_a_load_that_ended_unwatched_is_used(generator, mlflow):
    generator.create()
    config = config_of(mlflow, seconds=3)
    first = generator.play(config)
    until("start", (generator.cell / "state.json").exists)
    os.killpg(first.pid, signal.SIGKILL)
    until("end", lambda: generator.phase(generator.state()["handle"]) == "ended")
    assert generator.load(config) == 0
    assert (generator.result()["n"], generator.result()["attached"]) == (1, True)
    assert not numbers_of(generator)["partial"]


def test_a_connection_that_is_lost_costs_nothing(generator, mlflow, kubeconfig, tmp_path, monkeypatch):
    generator.create()
    with detour(kubeconfig, tmp_path) as (way, through):
        monkeypatch.setenv("KUBECONFIG", through)
        playing = generator.play(config_of(mlflow, seconds=25))
        until("progress", lambda: "requests/s" in generator.output())
        way.cut()
        until("a line that says so", lambda: "not reachable, which the load does not need" in generator.output())
        time.sleep(20)
        way.mend()
        assert playing.wait(timeout=120) == 0, generator.output()
    assert not numbers_of(generator)["partial"]
    assert generator.result()["n"] == 1


def test_a_deleted_pod_may_be_replaced_and_loaded_from_again(generator, mlflow):
    generator.create()
    playing = generator.play(config_of(mlflow, seconds=60))
    until("progress", lambda: "requests/s" in generator.output())
    generator.delete()
    assert playing.wait(timeout=60) != 0
    output = " ".join(generator.output().split())
    assert f"lost its pod {generator.settings['namespace']}/{NAME}: the pod" in output
    assert "retry: true" in output
    # Then there is none to load from.
    until("its end", lambda: generator.pod() is None)
    assert generator.load(config_of(mlflow)) != 0
    assert "not ready for a load (the pod does not exist)" in " ".join(generator.output().split())
    assert generator.create()
    assert generator.load(config_of(mlflow)) == 0
    assert generator.result()["n"] == 2


def test_out_of_memory_is_reported_and_the_measurement_is_stored(generator, mlflow):
    generator.create(resources={"requests": {"cpu": "100m", "memory": "48Mi"}, "limits": {"cpu": "1", "memory": "48Mi"}})
    config = config_of(mlflow, seconds=60, profile={"kind": "closed", "concurrency": 200}, think_time_s=0)
    assert generator.load(config) != 0
    output = " ".join(generator.output().split())
    assert "OOMKilled, exit code 137" in output
    assert "retry: false" in output
    attempt.stop_all(generator.backend(), generator.cell)
    directory = Path(generator.state()["directory"])
    assert (directory / "k6.log").exists()
    assert (directory / "raw.csv.gz").exists()


def test_a_load_beyond_its_time_is_stopped(generator, mlflow):
    generator.create()
    assert generator.load(config_of(mlflow, seconds=60), k6_runner_time_limit_s=5) != 0
    assert "still running after 5 s, so it was stopped" in " ".join(generator.output().split())


def test_a_cut_and_damaged_download_is_mended(generator, mlflow, monkeypatch):
    generator.create()
    files = {"scripts_dir": str(ROOT / "files" / "k6"), "schema_dir": str(ROOT / "files" / "schemas")}
    started = generator.backend().start(Load(directory=generator.cell, generator=generator.target, config=config_of(mlflow, seconds=3), **files))
    until("end", lambda: generator.phase(started["handle"]) == "ended")
    spoilt = {"left": 2}
    real = pod_files.PodRpc.read

    def read(self, *arguments):
        piece = real(self, *arguments)
        spoilt["left"] -= 1
        return {1: piece[:-1], 0: b"?" + piece[1:]}.get(spoilt["left"], piece)

    monkeypatch.setattr(pod_files.PodRpc, "read", read)
    generator.backend().fetch(started, True)
    assert spoilt["left"] < -1
    assert not build_result(Attempt(directory=Path(started["directory"]), dest=Path(started["directory"]), exit_code=0))["result"]["partial"]


def test_scripts_run_by_hand(generator, mlflow):
    generator.create({"token": CANARY.encode()}, mlflow_url=mlflow)
    settings = ["-e", "TENANT_COUNT=3", "-e", "CONCURRENCY=4", "-e", "DURATION=3s"]
    done = _kubectl(generator, "exec", NAME, "--", "k6", "run", *settings, "/scripts/mlflow_scale_test.js")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "requests, 0 failed. Summary: ./summary_tenants-3_concurrency_4.json" in done.stdout
    old = f"MLFLOW_URL={mlflow} MLFLOW_TOKEN=t TENANT_COUNT=2 CONCURRENCY=4 k6 run /scripts/mlflow_prefill_tenants.js"
    done = _kubectl(generator, "exec", NAME, "--", "sh", "-c", old)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 tenants hold data set" in done.stdout


def test_a_load_does_not_start_beside_another_k6(generator, mlflow):
    generator.create()
    by_hand = subprocess.Popen(_command(generator, "exec", NAME, "--", "k6", "run", "-e", f"MLFLOW_URL={mlflow}", "-e", "MLFLOW_TOKEN_FILE=",
                                        "-e", "DURATION=60s", "/scripts/mlflow_scale_test.js"), stdout=subprocess.DEVNULL)
    try:
        rpc = pod_rpc.PodRpc(generator.cluster, pod_lifecycle.container_of(generator.settings))
        until("k6 by hand", lambda: rpc.call("probe", "k6")["running"])
        assert generator.load(config_of(mlflow)) != 0
        assert "k6 runs in it already (pid" in " ".join(generator.output().split())
        with pytest.raises(ClusterError, match="k6 runs in it"):
            generator.create(mlflow_url="http://127.0.0.1:1")
    finally:
        by_hand.kill()


def test_no_token_is_anywhere(generator, mlflow, node, tmp_path):
    token, tokens = tmp_path / "secrets" / "token", tmp_path / "secrets" / "tokens.json"
    token.parent.mkdir()
    token.write_text(CANARY)
    tokens.write_text(json.dumps({f"tenant-{number}": f"{CANARY}-{number}" for number in (1, 2, 3)}))
    generator.create()
    config = config_of(mlflow, mlflow={"url": mlflow, "token_file": str(token), "token_map_file": str(tokens), "tls_verify": True}, seconds=8)
    playing = generator.play(config, "-vvvvv")
    until("progress", lambda: "requests/s" in generator.output())
    every_argv = [path.read_bytes() for path in _readable("/proc/[0-9]*/cmdline")]
    every_environment = [path.read_bytes() for path in _readable("/proc/[0-9]*/environ")]
    assert any(b"mlflow_scale_test.js" in argv for argv in every_argv)
    assert playing.wait(timeout=120) == 0
    where = generator.settings["namespace"]
    objects = [generator.cluster.items(f"/api/v1/namespaces/{where}/{kind}") for kind in ("pods", "configmaps", "events")]
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.parent != token.parent)
    for place in (*every_argv, *every_environment, json.dumps(objects).encode(), left, node.audit_log.read_bytes()):
        assert CANARY.encode() not in place
    # The next cell's token is seen although the pod runs on.
    token.write_text(f"{CANARY}-next")
    assert generator.load(config, k6_runner_plan_digest="digest-2") == 0
    seen = _kubectl(generator, "exec", NAME, "--", "cat", "/var/run/perfscale.mlflow/token")
    assert seen.stdout == f"{CANARY}-next"


@pytest.mark.parametrize("volume", ["empty_dir", "claim"])
def test_any_user_id_will_do(generator, mlflow, volume):
    generator.create(run_as_user=1000660000, volume=volume, network_policy=True)
    assert generator.load(config_of(mlflow, seconds=2)) == 0
    assert pod_lifecycle.absent(generator.cluster, generator.settings) == {"changed": True, "stays": []}
    assert pod_lifecycle.absent(generator.cluster, generator.settings) == {"changed": False, "stays": []}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"resources": {"requests": {"cpu": "900"}}}, r"Unschedulable: 0/\d+ nodes are available.*Insufficient cpu", id="node too small"),
        pytest.param({"node_selector": {"perfscale.mlflow/nowhere": "x"}}, "Unschedulable: .*node affinity/selector", id="no such node"),
        pytest.param({"image": "localhost/nothing:1"}, "(ErrImagePull|ImagePullBackOff): .*localhost/nothing:1", id="no image"),
        pytest.param({"image": "Not An Image"}, "InvalidImageName", id="odd image"),
    ],
)
def test_a_pod_that_does_not_start_is_reported_with_the_reason(generator, changes, words):
    with pytest.raises(ClusterError, match=words):
        generator.create(timeout_s=30.0 if "image" in changes else 6.0, **changes)


def test_an_image_without_k6_is_named(generator, images):
    with pytest.raises(ClusterError, match="no k6 on the PATH of image"):
        generator.create(image=images["busybox"], run_as_user=12345)


def test_an_unmanaged_pod_is_left_alone(generator, images, cluster):
    spec = {"containers": [{"name": "x", "image": images["busybox"], "command": ["sleep", "60"]}], "terminationGracePeriodSeconds": 1}
    where = f"/api/v1/namespaces/{generator.settings['namespace']}"
    cluster.request("PATCH", where, body={"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}}, content_type="application/merge-patch+json")
    cluster.request("POST", f"{where}/pods", {"metadata": {"name": NAME}, "spec": spec})
    with pytest.raises(ClusterError, match=f"Pod .*{NAME}: exists without the label"):
        generator.create()
    pod_lifecycle.absent(cluster, generator.settings)
    assert generator.pod()["spec"]["containers"][0]["name"] == "x"


def test_the_generator_avoids_the_nodes_of_measured_pods(generator, images, cluster, namespace):
    """The measured pod is in another namespace than the generator."""
    other = f"{namespace}-measured"
    cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": other}})
    try:
        container = {"name": "x", "image": images["busybox"], "command": ["sleep", "600"]}
        spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
        cluster.request("POST", f"/api/v1/namespaces/{other}/pods", {"metadata": {"name": "m", "labels": {"app": other}}, "spec": spec})
        until("measured pod", lambda: cluster.get(f"/api/v1/namespaces/{other}/pods/m")["spec"].get("nodeName"))
        avoid = [{"name": "mlflow", "labels": {"app": other}, "namespaces": []}]
        generator.create(avoid=avoid)
        if len(cluster.items("/api/v1/nodes")) > 1:
            assert generator.target["shares_node_with"] == []
            return
        assert generator.target["shares_node_with"] == ["mlflow"]
        for namespaces in ([], [other]):
            with pytest.raises(ClusterError, match=r"Unschedulable: .*anti-affinity"):
                generator.create(avoid=[{**avoid[0], "namespaces": namespaces}], avoid_required=True, timeout_s=6.0)
    finally:
        cluster.request("DELETE", f"/api/v1/namespaces/{other}")


@pytest.mark.second_round
def test_a_divided_load_outlives_its_controller_and_its_end(divided, mlflow):
    config = config_of(mlflow, seconds=5)
    first = divided.play(config)
    until("progress", lambda: "requests/s" in divided.output())
    os.killpg(first.pid, signal.SIGKILL)
    handle = divided.state()["handle"]
    # Its runners have ended meanwhile, and keep their files.
    time.sleep(max(0, handle["starts"] - time.time()) + 15)
    assert divided.load(config) == 0
    result = divided.result()
    assert (result["n"], result["attached"], result["handle"], result["exit_code"]) == (1, True, handle, 0)
    assert [(entry["exit_code"], entry["is_complete"], bool(entry["node"])) for entry in shards_of(divided)] == [(0, True, True)] * 2
    assert all(entry["cpu_s"] > 0 and entry["memory_bytes_max"] > 1 << 20 for entry in shards_of(divided))
    numbers = numbers_of(divided)
    assert not numbers["partial"]
    assert numbers["total"]["n"] > 20
    assert [member["n"] > 0 for member in numbers["shards"]["members"]] == [True, True]
    # Nothing of it remains but the pod.
    where = divided.settings["namespace"]
    assert divided.cluster.items(f"/apis/k6.io/v1alpha1/namespaces/{where}/testruns") == []
    assert [pod["metadata"]["name"] for pod in divided.cluster.items(f"/api/v1/namespaces/{where}/pods")] == [NAME]


@pytest.mark.second_round
def test_a_deleted_runner_is_lost_and_what_it_measured_is_stored(divided, mlflow):
    playing = divided.play(config_of(mlflow, seconds=60))
    until("requests", lambda: re.search(r"[1-9]\d* requests so far", divided.output()), 90)
    _kubectl(divided, "delete", "pod", runner_of(divided, 2), "--wait=false")
    assert playing.wait(timeout=90) != 0
    output = " ".join(divided.output().split())
    assert "lost 1 of 2 shards" in output
    assert "retry: true" in output
    attempt.stop_all(divided.backend(), divided.cell)
    first, second = shards_of(divided)
    assert (first["exit_code"], second["exit_code"], second["reason"]) == (105, 105, "its pod is being deleted")
    assert "raw.csv.gz" in second["files"]
    assert divided.load(config_of(mlflow)) == 0
    assert divided.result()["n"] == 2


@pytest.mark.second_round
def test_a_runner_out_of_memory_is_named_and_what_it_measured_is_stored(divided, mlflow):
    divided.target["runner"]["resources"] = {"requests": {"cpu": "100m", "memory": "72Mi"}, "limits": {"cpu": "1", "memory": "72Mi"}}
    assert divided.load(config_of(mlflow, seconds=90, profile={"kind": "closed", "concurrency": 60}, think_time_s=0)) != 0
    output = " ".join(divided.output().split())
    assert re.search(r"lost [12] of 2 shards", output)
    assert "OOMKilled" in output
    assert "retry: false" in output
    attempt.stop_all(divided.backend(), divided.cell)
    killed = [entry for entry in shards_of(divided) if entry["exit_code"] == 137]
    assert killed
    assert all("raw.csv.gz" in entry["files"] for entry in killed)


def _readable(pattern):
    for path in Path("/").glob(pattern.lstrip("/")):
        try:
            path.read_bytes()
        except OSError:
            continue
        yield path


def _command(generator, *words):
    return [shutil.which("kubectl") or pytest.skip("kubectl: is not on PATH"), "--namespace", generator.settings["namespace"], *words]


def _kubectl(generator, *words):
    return subprocess.run(_command(generator, *words), capture_output=True, text=True, timeout=120, check=False)
