# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load from a real pod: through, attached to, used after the fact, and what happens when something of it is lost. MLflow is a fake on the node."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "k6"))

from runs import load_config, stand_in

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_files, pod_load, pod_place
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from generator.detour import detour
from generator.pods import CELL, NAME, Generator, until
from node import faults, layout

CANARY = "canary-token-of-the-generator"


@pytest.fixture
def generator(cluster, namespace, images, tmp_path) -> Generator:
    """A generator whose pod is not made yet, in a namespace that admits only restricted pods."""
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    cluster.request("PATCH", f"/api/v1/namespaces/{namespace}", body=labels, content_type="application/merge-patch+json")
    return Generator(cluster, namespace, images["k6"], tmp_path)


@pytest.fixture
def mlflow(node):
    """URL of a fake of MLflow that pods can reach."""
    with stand_in(host=layout.ADDRESS) as url:
        yield url


def config_of(url, seconds=6, **changes):
    return load_config(url, cell_id=CELL, warmup_s=1, window_s=seconds, summary_file="summary_tenants-3_concurrency_5.json", **changes)


def numbers_of(generator):
    result = generator.result()
    return build_result(Attempt(directory=Path(result["directory"]), dest=Path(result["directory"]), exit_code=result["exit_code"]))["result"]


def test_a_load_runs_through(generator, mlflow):
    assert generator.make()
    assert not generator.make()
    assert (generator.target["version"], generator.target["cores"], generator.target["node"]) == ("1.1.0", 1.0, generator.pod()["spec"]["nodeName"])
    assert generator.load(config_of(mlflow)) == 0
    result = generator.result()
    assert (result["n"], result["attached"], result["exit_code"], result["node"]) == (1, False, 0, generator.target["node"])
    assert result["exit"]["cpu_seconds"] > 0
    assert "requests/s" in generator.words()
    names = {path.name for path in Path(result["directory"]).iterdir()}
    assert names == {"load_config.json", "k6.log", "k6.exit.json", "raw.csv.gz", "summary_tenants-3_concurrency_5.json"}
    numbers = numbers_of(generator)
    assert not numbers["partial"]
    assert numbers["total"]["n"] > 20
    assert not numbers["warnings"]
    seen = result["requests"]
    raw = gzip.decompress((Path(result["directory"]) / "raw.csv.gz").read_bytes())
    assert 0 < seen <= raw.count(b"\nhttp_req_duration,")
    # Nothing of it stays in the pod.
    listed = _kubectl(generator, "exec", NAME, "--", "ls", "/results")
    assert listed.stdout.split() == []


def test_a_killed_controller_is_followed_by_one_that_attaches(generator, mlflow):
    generator.make()
    config = config_of(mlflow, seconds=20)
    first = generator.play(config)
    until("progress", lambda: "requests/s" in generator.words())
    os.killpg(first.pid, signal.SIGKILL)
    handle = generator.state()["handle"]
    assert generator.load(config) == 0
    result = generator.result()
    assert (result["n"], result["attached"], result["handle"], result["exit_code"]) == (1, True, handle, 0)
    assert not numbers_of(generator)["partial"]


def test_a_controller_that_starts_from_nothing_finds_its_load(generator, mlflow):
    """What a job in a fresh container knows: the run, the settings, and which pod loads."""
    generator.make()
    config = config_of(mlflow, seconds=20)
    first = generator.play(config)
    until("progress", lambda: "requests/s" in generator.words())
    os.killpg(first.pid, signal.SIGKILL)
    handle = generator.state()["handle"]
    shutil.rmtree(generator.cell)
    assert generator.load(config) == 0
    result = generator.result()
    assert (result["n"], result["attached"], result["handle"], result["exit_code"]) == (1, True, handle, 0)
    assert not numbers_of(generator)["partial"]


def test_a_load_that_ended_unwatched_is_used(generator, mlflow):
    generator.make()
    config = config_of(mlflow, seconds=3)
    first = generator.play(config)
    until("start", (generator.cell / "state.json").exists)
    os.killpg(first.pid, signal.SIGKILL)
    script = pod_load.PodScript(generator.cluster, pod_load.container_of(generator.state()["handle"]))
    until("end", lambda: script.ask("status", generator.state()["handle"]["directory"])["phase"] == "ended")
    assert generator.load(config) == 0
    assert (generator.result()["n"], generator.result()["attached"]) == (1, True)
    assert not numbers_of(generator)["partial"]


def test_a_connection_that_is_lost_costs_nothing(generator, mlflow, kubeconfig, tmp_path, monkeypatch):
    generator.make()
    with detour(kubeconfig, tmp_path) as (way, through):
        monkeypatch.setenv("KUBECONFIG", through)
        playing = generator.play(config_of(mlflow, seconds=25))
        until("progress", lambda: "requests/s" in generator.words())
        way.cut()
        until("a line that says so", lambda: "not reachable, which the load does not need" in generator.words())
        time.sleep(20)
        way.mend()
        assert playing.wait(timeout=120) == 0, generator.words()
    assert not numbers_of(generator)["partial"]
    assert generator.result()["n"] == 1


@pytest.mark.alone
def test_an_api_server_that_is_gone_for_a_minute_costs_nothing(generator, mlflow, node):
    generator.make()
    playing = generator.play(config_of(mlflow, seconds=40))
    until("progress", lambda: "requests/s" in generator.words())
    with faults.api_server_down(node):
        time.sleep(60)
    assert playing.wait(timeout=180) == 0, generator.words()
    assert "not reachable, which the load does not need" in generator.words()
    assert not numbers_of(generator)["partial"]


def test_a_deleted_pod_may_be_replaced_and_loaded_from_again(generator, mlflow):
    generator.make()
    playing = generator.play(config_of(mlflow, seconds=60))
    until("progress", lambda: "requests/s" in generator.words())
    generator.delete()
    assert playing.wait(timeout=60) != 0
    words = " ".join(generator.words().split())
    assert f"lost its pod {generator.settings['namespace']}/{NAME}: the pod" in words
    assert "retry: true" in words
    # Then there is none to load from.
    until("its end", lambda: generator.pod() is None)
    assert generator.load(config_of(mlflow)) != 0
    assert "is not there to load from (the pod does not exist)" in " ".join(generator.words().split())
    assert generator.make()
    assert generator.load(config_of(mlflow)) == 0
    assert generator.result()["n"] == 2


def test_out_of_memory_is_named_and_what_was_measured_is_kept(generator, mlflow):
    generator.make(resources={"requests": {"cpu": "100m", "memory": "48Mi"}, "limits": {"cpu": "1", "memory": "48Mi"}})
    config = config_of(mlflow, seconds=60, profile={"kind": "closed", "concurrency": 200}, think_time_s=0)
    assert generator.load(config) != 0
    words = " ".join(generator.words().split())
    assert "OOMKilled, exit code 137" in words
    assert "retry: false" in words
    pod_load.stop(generator.cluster, generator.cell)
    attempt = Path(generator.state()["directory"])
    assert (attempt / "k6.log").exists()
    assert (attempt / "raw.csv.gz").exists()


def test_a_load_beyond_its_time_is_stopped(generator, mlflow):
    generator.make()
    assert generator.load(config_of(mlflow, seconds=60), k6_runner_time_limit_s=5) != 0
    assert "still ran after 5 s and was stopped" in " ".join(generator.words().split())


def test_a_cut_and_damaged_download_is_mended(generator, mlflow, monkeypatch):
    generator.make()
    launch = {"generator": generator.target, "script": "mlflow_scale_test.js", "config_schema": "load_config", "ca_file": None}
    schemas = str(ROOT / "files" / "schemas")
    started = pod_load.start(generator.cluster, generator.cell, config_of(mlflow, seconds=3), launch, "digest", True, schemas)
    script = pod_load.PodScript(generator.cluster, pod_load.container_of(started["handle"]))
    until("end", lambda: script.ask("status", started["handle"]["directory"])["phase"] == "ended")
    spoilt = {"left": 2}
    real = pod_files.PodScript.read

    def read(self, *arguments):
        piece = real(self, *arguments)
        spoilt["left"] -= 1
        return {1: piece[:-1], 0: b"?" + piece[1:]}.get(spoilt["left"], piece)

    monkeypatch.setattr(pod_files.PodScript, "read", read)
    pod_load.fetch(generator.cluster, generator.cell, True)
    assert spoilt["left"] < -1
    assert not build_result(Attempt(directory=Path(started["directory"]), dest=Path(started["directory"]), exit_code=0))["result"]["partial"]


def test_scripts_run_by_hand(generator, mlflow):
    generator.make({"token": CANARY.encode()}, mlflow_url=mlflow)
    settings = ["-e", "TENANT_COUNT=3", "-e", "CONCURRENCY=4", "-e", "DURATION=3s"]
    said = _kubectl(generator, "exec", NAME, "--", "k6", "run", *settings, "/scripts/mlflow_scale_test.js")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "requests, 0 failed. Summary: ./summary_tenants-3_concurrency_4.json" in said.stdout
    old = f"MLFLOW_URL={mlflow} MLFLOW_TOKEN=t TENANT_COUNT=2 CONCURRENCY=4 k6 run /scripts/mlflow_prefill_tenants.js"
    said = _kubectl(generator, "exec", NAME, "--", "sh", "-c", old)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "2 of 2 tenants hold data set" in said.stdout


def test_a_load_waits_for_nobody_elses_k6(generator, mlflow):
    generator.make()
    by_hand = subprocess.Popen(_command(generator, "exec", NAME, "--", "k6", "run", "-e", f"MLFLOW_URL={mlflow}", "-e", "MLFLOW_TOKEN_FILE=",
                                        "-e", "DURATION=60s", "/scripts/mlflow_scale_test.js"), stdout=subprocess.DEVNULL)
    try:
        script = pod_load.PodScript(generator.cluster, pod_place.container_of(generator.settings))
        until("k6 by hand", lambda: script.ask("probe", "k6")["running"])
        assert generator.load(config_of(mlflow)) != 0
        assert "k6 runs in it already (pid" in " ".join(generator.words().split())
        with pytest.raises(ClusterError, match="k6 runs in it"):
            generator.make(mlflow_url="http://127.0.0.1:1")
    finally:
        by_hand.kill()


def test_no_token_is_anywhere(generator, mlflow, node, tmp_path):
    token, tokens = tmp_path / "secrets" / "token", tmp_path / "secrets" / "tokens.json"
    token.parent.mkdir()
    token.write_text(CANARY)
    tokens.write_text(json.dumps({f"tenant-{number}": f"{CANARY}-{number}" for number in (1, 2, 3)}))
    generator.make()
    config = config_of(mlflow, mlflow={"url": mlflow, "token_file": str(token), "token_map_file": str(tokens), "tls_verify": True}, seconds=8)
    playing = generator.play(config, "-vvvvv")
    until("progress", lambda: "requests/s" in generator.words())
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
    generator.make(run_as_user=1000660000, volume=volume, network_policy=True)
    assert generator.load(config_of(mlflow, seconds=2)) == 0
    assert pod_place.absent(generator.cluster, generator.settings) == {"changed": True, "stays": []}
    assert pod_place.absent(generator.cluster, generator.settings) == {"changed": False, "stays": []}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"resources": {"requests": {"cpu": "900"}}}, r"Unschedulable: 0/\d+ nodes are available.*Insufficient cpu", id="node too small"),
        pytest.param({"node_selector": {"perfscale.mlflow/nowhere": "x"}}, "Unschedulable: .*node affinity/selector", id="no such node"),
        pytest.param({"image": "localhost/nothing:1"}, "(ErrImagePull|ImagePullBackOff): .*localhost/nothing:1", id="no image"),
        pytest.param({"image": "Not An Image"}, "InvalidImageName", id="odd image"),
    ],
)
def test_a_pod_that_does_not_start_says_why(generator, changes, words):
    with pytest.raises(ClusterError, match=words):
        generator.make(timeout_s=30.0 if "image" in changes else 6.0, **changes)


def test_an_image_without_k6_is_named(generator, images):
    with pytest.raises(ClusterError, match="has no k6 on its PATH"):
        generator.make(image=images["busybox"], run_as_user=12345)


def test_a_pod_of_somebody_else_is_left_alone(generator, images, cluster):
    spec = {"containers": [{"name": "x", "image": images["busybox"], "command": ["sleep", "60"]}], "terminationGracePeriodSeconds": 1}
    where = f"/api/v1/namespaces/{generator.settings['namespace']}"
    cluster.request("PATCH", where, body={"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}}, content_type="application/merge-patch+json")
    cluster.request("POST", f"{where}/pods", {"metadata": {"name": NAME}, "spec": spec})
    with pytest.raises(ClusterError, match=f"Pod .*{NAME}: exists without the label"):
        generator.make()
    pod_place.absent(cluster, generator.settings)
    assert generator.pod()["spec"]["containers"][0]["name"] == "x"


def test_the_generator_stays_away_from_what_it_measures(generator, images, cluster, namespace):
    """The measured pod lives in another namespace than the generator."""
    other = f"{namespace}-measured"
    cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": other}})
    try:
        container = {"name": "x", "image": images["busybox"], "command": ["sleep", "600"]}
        spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
        cluster.request("POST", f"/api/v1/namespaces/{other}/pods", {"metadata": {"name": "m", "labels": {"app": other}}, "spec": spec})
        until("measured pod", lambda: cluster.get(f"/api/v1/namespaces/{other}/pods/m")["spec"].get("nodeName"))
        avoid = [{"name": "mlflow", "labels": {"app": other}, "namespaces": []}]
        generator.make(avoid=avoid)
        if len(cluster.items("/api/v1/nodes")) > 1:
            assert generator.target["shares_node_with"] == []
            return
        assert generator.target["shares_node_with"] == ["mlflow"]
        for namespaces in ([], [other]):
            with pytest.raises(ClusterError, match=r"Unschedulable: .*anti-affinity"):
                generator.make(avoid=[{**avoid[0], "namespaces": namespaces}], avoid_required=True, timeout_s=6.0)
    finally:
        cluster.request("DELETE", f"/api/v1/namespaces/{other}")


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
