# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load in the pod from its start to its files, against a fake of pod and cluster that runs the real load.sh."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import shutil
import time
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import attempt as attempts
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod as pods
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_files, pod_lifecycle, pod_rpc, pod_secret
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import GeneratorLostError, Load
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod import PodBackend
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import read_raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import Container
from fakes.fake_generator_pod import NAMESPACE, POD, POD_PATH, RAW, ROOT, SECRET_PATH
from fakes.k6_configs import load_config

URL = "http://127.0.0.1:1"
CELL = Path("run", "cells", "t1-c1-r1")
HANDLE = {"namespace": NAMESPACE, "pod": POD, "container": "k6", "pod_uid": "uid-1", "restarts": 0, "directory": "/results/x"}
ATTEMPT = {"directory": "/nowhere", "handle": HANDLE}
ENDED = '{"pid": 7, "exit_code": %d, "started": 100, "lasted_cs": 550, "cpu_times": "0m1.5s 1m0.25s", "oom_kills": %d}'


def load_of(directory, seconds, digest="abc", reusable=True, **config):
    """A load of so many seconds on the fake pod."""
    return Load(
        directory=directory,
        generator={"kind": "pod", "namespace": NAMESPACE, "pod": POD, "cores": 1.5},
        config=load_config(URL, window_s=seconds, **config),
        scripts_dir=str(ROOT / "files" / "k6"),
        schema_dir=str(ROOT / "files" / "schemas"),
        plan_digest=digest,
        is_finished_reusable=reusable,
    )


def backend_of(pod):
    return PodBackend(lambda: pod)


def fetch(pod, directory, with_raw=True):
    return backend_of(pod).fetch(attempts.latest_attempt(directory), with_raw)


def stop(pod, directory):
    return attempts.stop_all(backend_of(pod), directory)


@pytest.fixture(name="start")
def fixture_start(pod, tmp_path):
    """Start a load of so many seconds; loads that still run at the end are stopped."""
    cell = tmp_path / CELL

    def start(seconds, digest="abc", reusable=True, **config):
        return backend_of(pod).start(load_of(cell, seconds, digest, reusable, **config))

    yield start
    # A test may have broken what fetches the files.
    with contextlib.suppress(ClusterError):
        stop(pod, cell)


def wait_for_end(pod, started):
    """Wait for the end of a load and return its last status."""
    backend, deadline = backend_of(pod), time.monotonic() + 60
    while (status := backend.status(started, False)).is_running:
        assert time.monotonic() < deadline, "the fake never ended"
        time.sleep(0.02)
    return status


def test_the_load_of_a_run_is_found_by_another_run(start, pod):
    run_id = CELL.parts[0]
    assert pod_lifecycle.running_load(pod, NAMESPACE, run_id) == ""
    started = start(0.5)
    assert pod_lifecycle.running_load(pod, NAMESPACE, run_id) == f"Pod {NAMESPACE}/{POD}"
    assert pod_lifecycle.running_load(pod, NAMESPACE, "another") == ""
    pod.fails = [ClusterError("the API server does not answer")]
    assert pod_lifecycle.running_load(pod, NAMESPACE, run_id) == ""
    wait_for_end(pod, started)
    assert pod_lifecycle.running_load(pod, NAMESPACE, run_id) == ""


def test_a_load_is_run_watched_and_fetched(start, pod, tmp_path):
    started = start(1)
    status = backend_of(pod).status(started, True)
    assert status.is_running
    assert status.age_s >= 0
    ended = wait_for_end(pod, started).exit
    assert (ended["exit_code"], ended["oom_kills"]) == (0, 0)
    assert ended["cpu_seconds"] is not None
    assert ended["ended"] > ended["started"]
    fetched = fetch(pod, tmp_path / CELL)
    attempt = Path(started["directory"])
    assert sorted(fetched["files"]) == ["k6.log", "raw.csv.gz", "summary_tenants-1_concurrency_1.json"]
    assert "log of the fake" in (attempt / "k6.log").read_text()
    assert attempts.read_exit(attempt)["exit_code"] == 0
    assert not Path(started["handle"]["directory"]).exists()
    assert fetch(pod, tmp_path / CELL)["files"] == []


@pytest.mark.parametrize("proxy", [None, "http://proxy:3128"], ids=["none", "configured"])
def test_the_proxy_of_a_load_is_that_of_the_pod_and_recorded(pod, tmp_path, monkeypatch, proxy):
    monkeypatch.setenv("HTTP_PROXY", "http://of-the-controller:1")
    cell = tmp_path / CELL
    load = load_of(cell, 0.1)
    load.generator["proxy"] = proxy
    started = backend_of(pod).start(load)
    [words] = [command for command in pod.commands if command[0] == "start"]
    assert {word for word in words if "PROXY=" in word} == ({f"HTTP_PROXY={proxy}", f"HTTPS_PROXY={proxy}"} if proxy else set())
    recorded = json.loads((Path(started["directory"]) / "load_config.json").read_text())
    assert recorded["mlflow"].get("proxy") == proxy
    wait_for_end(pod, started)


def test_the_lines_left_behind_are_those_that_are_not_read(start, pod, tmp_path):
    started = start(0.1)
    wait_for_end(pod, started)
    fetch(pod, tmp_path / CELL)
    packed = Path(started["directory"]) / "raw.csv.gz"
    assert read_raw(packed, 60000) == read_raw(RAW, 60000)
    assert len(gzip.decompress(packed.read_bytes())) < RAW.stat().st_size * 2 / 3


def test_raw_output_is_not_fetched_unless_requested(start, pod, tmp_path):
    started = start(0.1)
    wait_for_end(pod, started)
    assert "raw.csv.gz" not in fetch(pod, tmp_path / CELL, with_raw=False)["files"]


def test_a_running_load_is_attached_to(start):
    first, second = start(300), start(300)
    assert (first["n"], first["attached"], second["n"], second["attached"]) == (1, False, 1, True)
    assert first["handle"] == second["handle"]


@pytest.mark.parametrize(("reusable", "n"), [pytest.param(True, 1, id="used"), pytest.param(False, 2, id="not-wanted")])
@pytest.mark.parametrize("fetched", [pytest.param(True, id="fetched"), pytest.param(False, id="in-the-pod")])
@pytest.mark.parametrize("code", [pytest.param(0, id="ended"), pytest.param(110, id="marked-as-failed")])
def test_a_load_with_a_complete_window_that_ended_unwatched(start, pod, tmp_path, reusable, n, fetched, code):
    pod.ends_with(code)
    wait_for_end(pod, start(0.1))
    if fetched:
        fetch(pod, tmp_path / CELL)
    assert start(300, reusable=reusable)["n"] == n


def test_a_load_beside_that_of_another_run_is_rejected(start, pod, tmp_path):
    start(300)
    with pytest.raises(ClusterError, match=r"k6 runs in it already \(pid \d+\)"):
        backend_of(pod).start(load_of(tmp_path / "other-run" / "cells" / "t1-c1-r1", 30))


def delete_results(tmp_path):
    """Leave what a new job in a fresh container has of the load: nothing."""
    shutil.rmtree(tmp_path / "run")


def test_a_controller_that_starts_from_nothing_finds_its_running_load(start, tmp_path):
    first = start(300)
    delete_results(tmp_path)
    second = start(300)
    assert (second["n"], second["attached"], second["handle"]) == (1, True, first["handle"])
    assert second["started"] == pytest.approx(first["started"], abs=10)


@pytest.mark.parametrize(("reusable", "attached"), [pytest.param(True, True, id="used"), pytest.param(False, False, id="not-wanted")])
@pytest.mark.parametrize("code", [pytest.param(0, id="ended"), pytest.param(110, id="marked-as-failed")])
def test_a_controller_that_starts_from_nothing_finds_the_load_with_a_complete_window(start, pod, tmp_path, reusable, attached, code):
    pod.ends_with(code)
    wait_for_end(pod, start(0.1))
    delete_results(tmp_path)
    second = start(0.1, reusable=reusable)
    assert second["attached"] is attached
    if attached:
        assert "raw.csv.gz" in fetch(pod, tmp_path / CELL)["files"]


def test_the_scripts_of_an_older_pod_list_no_loads(start, pod):
    script = pod.directory / "scripts" / "pod" / "load.sh"
    script.write_text(script.read_text().replace("hold | loads |", "hold |"))
    assert not start(0.1)["attached"]


def test_a_load_of_the_same_run_with_other_settings_is_stopped(start, pod, tmp_path):
    first = start(300, seed=1)
    delete_results(tmp_path)
    second = start(300, seed=2)
    assert (second["attached"], second["handle"]["directory"] != first["handle"]["directory"]) == (False, True)
    assert wait_for_end(pod, first).exit["exit_code"] == 128 + 15


def test_a_run_that_was_restored_elsewhere_continues_there(start, pod, tmp_path):
    first = start(0.1)
    shutil.copytree(tmp_path / "run", tmp_path / "elsewhere" / "run", ignore=shutil.ignore_patterns("attempts"))
    wait_for_end(pod, first)
    assert "raw.csv.gz" in fetch(pod, tmp_path / "elsewhere" / CELL)["files"]
    assert (tmp_path / "elsewhere" / CELL / "attempts" / "1" / "raw.csv.gz").is_file()


def test_a_lost_response_starts_nothing_twice(start, pod):
    pod.cuts.append("start")
    start(300)
    assert [command[0] for command in pod.commands].count("start") == 2


def test_a_killed_load_is_stopped_fetched_and_not_used(start, pod, tmp_path):
    started = start(300)
    assert stop(pod, tmp_path)
    attempt = Path(started["directory"])
    assert attempts.read_exit(attempt)["exit_code"] == 128 + 15
    assert (attempt / "raw.csv.gz").is_file()
    assert start(300)["n"] == 2


def test_tokens_reach_the_pod_and_nothing_else(start, pod, tmp_path):
    token, tokens = tmp_path / "token", tmp_path / "tokens.json"
    token.write_text("canary-token")
    tokens.write_text('{"tenant-1": "canary-token"}')
    started = start(0.1, mlflow={"url": URL, "token_file": str(token), "token_map_file": str(tokens), "tls_verify": True})
    data = {name: base64.b64decode(value) for name, value in pod.objects[SECRET_PATH]["data"].items()}
    assert data == {"token": b"canary-token", "tokens.json": b'{"tenant-1": "canary-token"}'}
    assert ("PATCH", POD_PATH) in pod.requests
    config = json.loads((Path(started["directory"]) / "load_config.json").read_text())
    access = pod.directory / "access"
    assert config["mlflow"] == {"url": URL, "token_file": f"{access}/token", "token_map_file": f"{access}/tokens.json", "tls_verify": True}
    wait_for_end(pod, started)
    assert "canary-token" not in json.dumps([pod.commands, pod.objects[POD_PATH], started, config])


def test_a_token_that_never_arrives_is_an_error(pod, monkeypatch):
    monkeypatch.setattr(pod, "sync", lambda: None)
    rpc = pod_rpc.PodRpc(pod, Container(NAMESPACE, POD, "k6"))
    with pytest.raises(ClusterError, match=r"outdated \S+/token, not updated within 0.1 s"):
        pod_secret.wait_until_mounted(pod, rpc, {"token": b"x"}, timeout_s=0.1)


def test_a_token_that_never_arrives_costs_the_pod_and_not_the_cell(start, pod, tmp_path, monkeypatch):
    (tmp_path / "token").write_text("canary-token")
    monkeypatch.setattr(pod, "sync", lambda: None)
    monkeypatch.setattr(pod_secret.wait_until_mounted, "__defaults__", (0.1,))
    with pytest.raises(GeneratorLostError, match=r"outdated \S+/token, not updated within 0.1 s.*The pod was deleted; retry with another\."):
        start(1, mlflow={"url": URL, "token_file": str(tmp_path / "token"), "tls_verify": True})
    assert POD_PATH not in pod.objects
    assert SECRET_PATH in pod.objects


def test_an_unreadable_token_is_one_sentence(start):
    with pytest.raises(ValueError, match=r"File /nowhere: not readable"):
        start(1, mlflow={"url": URL, "token_file": "/nowhere", "tls_verify": True})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda pod: pod.objects.pop(POD_PATH), "the pod does not exist", id="no pod"),
        pytest.param(lambda pod: pod.objects[POD_PATH].update(status={"phase": "Pending"}), "Pending", id="pending"),
        pytest.param(lambda pod: pod.objects[POD_PATH]["metadata"].update(deletionTimestamp="x"), "it is being deleted", id="going"),
    ],
)
def test_without_a_running_pod_the_start_may_be_tried_again(start, pod, change, words):
    change(pod)
    with pytest.raises(GeneratorLostError, match=words):
        start(1)


def test_a_damaged_configuration_is_sent_again_and_then_an_error(start, pod, monkeypatch):
    real = pod.run
    monkeypatch.setattr(pod_rpc, "run", lambda cluster, container, argv, stdin=b"", timeout_s=30.0: real(cluster, container, argv, stdin[:-1], timeout_s))
    with pytest.raises(ClusterError, match="configuration damaged on its way, 3 times"):
        start(1)


def test_a_cut_download_goes_on_where_it_stopped(start, pod, tmp_path, monkeypatch):
    started = start(0.1)
    wait_for_end(pod, started)
    remote = Path(started["handle"]["directory"])
    (remote / "k6.log").write_bytes(bytes(range(256)) * 4096 * 3)
    monkeypatch.setattr(pod_files, "PIECE", 1)
    attempt = Path(started["directory"])
    (attempt / ".k6.log.part").write_bytes((remote / "k6.log").read_bytes()[: 2**20 + 5])
    fetch(pod, tmp_path / CELL)
    assert (attempt / "k6.log").stat().st_size == 3 * 2**20
    assert [command[3] for command in pod.commands if command[0:3:2] == ["read", "k6.log"]] == ["1", "2"]


def test_a_file_that_arrives_damaged_twice_remains_in_the_pod(start, pod, tmp_path, monkeypatch):
    started = start(0.1)
    wait_for_end(pod, started)
    monkeypatch.setattr(pod_files.PodRpc, "read", lambda _self, _directory, _file, _chunk, _count: b"x" * len("log of the fake\n"))
    with pytest.raises(ClusterError, match=r"File k6\.log of pod k6-benchmark: wrong checksum, twice"):
        fetch(pod, tmp_path / CELL)
    assert Path(started["handle"]["directory"]).exists()


def test_a_connection_that_breaks_repeatedly_is_reported(start, pod, tmp_path, monkeypatch):
    wait_for_end(pod, start(0.1))
    monkeypatch.setattr(pod_files.PodRpc, "read", lambda _self, _directory, _file, _chunk, _count: b"")
    with pytest.raises(ClusterError, match="download interrupted 5 times"):
        fetch(pod, tmp_path / CELL)


def test_nothing_to_fetch_or_stop(pod, tmp_path):
    assert not stop(pod, tmp_path)
    with pytest.raises(ValueError, match=r"no state\.json"):
        fetch(pod, tmp_path)


def test_a_load_whose_pod_is_gone_is_not_stopped(start, pod, tmp_path):
    start(300)
    status = pod.objects[POD_PATH]
    status["metadata"]["uid"] = "another"
    assert not stop(pod, tmp_path)
    status["metadata"]["uid"] = "uid-1"
    assert stop(pod, tmp_path)


@pytest.mark.parametrize("is_repacked", [pytest.param(False, id="raw"), pytest.param(True, id="repacked")])
def test_a_load_that_was_fetched_and_not_recorded_is_used_without_its_pod(start, pod, tmp_path, is_repacked):
    started = start(0.1)
    wait_for_end(pod, started)
    fetch(pod, tmp_path / CELL)
    directory = Path(started["directory"])
    if is_repacked:
        build_result(Attempt(directory=directory, dest=directory, window=(1.0, 4e9), exit_code=0, remove_raw=True))
    pod.objects[POD_PATH]["metadata"]["uid"] = "another"
    again = start(300)
    assert (again["n"], again["attached"]) == (1, True)
    status = backend_of(pod).status(again, True)
    assert (status.is_running, status.failure, status.exit["exit_code"]) == (False, None, 0)


@pytest.fixture(name="scripted")
def fixture_scripted(pod, monkeypatch):
    """A backend whose responses the test sets, one by one."""
    responses = []

    def call(_self, *_words, **_options):
        response = responses.pop(0)
        if isinstance(response, Exception):
            raise response
        return response

    monkeypatch.setattr(pods.PodRpc, "call", call)
    backend = backend_of(pod)
    backend.responses = responses
    return backend


def test_progress_is_counted_from_block_to_block(scripted):
    scripted.responses += [{"phase": "running", "elapsed_cs": "1250", "block": "3", "counts": "40 2", "peak_kb": "2048"}]
    scripted.responses += [{"phase": "ended", "exit": ENDED % (0, 0), "elapsed_cs": "2000"}]
    assert scripted.status(ATTEMPT, True) == (True, 12.5, 40, 2, "", None, None)
    assert scripted.status(ATTEMPT, False).exit["max_rss_bytes"] == 2 * 2**20


def test_an_end_is_recorded(scripted):
    scripted.responses += [{"phase": "ended", "exit": ENDED % (0, 0), "elapsed_cs": "600"}]
    status = scripted.status(ATTEMPT, False)
    assert not status.is_running
    assert status.failure is None
    assert status.exit == {
        "pid": 7, "exit_code": 0, "signal": None, "started": 100, "ended": 105.5, "cpu_seconds": 61.75, "max_rss_bytes": None, "oom_kills": 0,
    }


@pytest.mark.parametrize(("code", "kills", "is_oom"), [(137, 1, True), (137, 0, False), (0, 1, False)], ids=["oom", "kill-9", "another-was-killed"])
def test_out_of_memory_is_no_end(scripted, code, kills, is_oom):
    scripted.responses += [{"phase": "ended", "exit": ENDED % (code, kills), "elapsed_cs": "600"}]
    status = scripted.status(ATTEMPT, False)
    assert (status.exit is None) == is_oom
    if is_oom:
        assert "k6 ran out of memory (OOMKilled, exit code 137)" in status.failure.text
        assert not status.failure.is_retryable


def test_an_api_server_that_does_not_respond_is_waited_for(scripted, pod, monkeypatch):
    def time_out(_path, **_options):
        raise ClusterError("the API server does not answer")

    monkeypatch.setattr(pod, "get", time_out)
    scripted.responses += [ClusterError("cut")]
    status = scripted.status(ATTEMPT, True)
    assert status.is_running
    assert status.age_s is None
    assert "does not answer" in status.note


def test_a_client_that_cannot_connect_yet_is_waited_for():
    def connect():
        raise ClusterError("no usable configuration")

    assert PodBackend(connect).status(ATTEMPT, False) == (True, None, 0, 0, "no usable configuration", None, None)


def test_a_running_pod_that_does_not_respond_is_waited_for(scripted):
    scripted.responses += [ClusterError("cut")]
    assert scripted.status(ATTEMPT, False) == (True, None, 0, 0, "cut", None, None)


def test_a_deleted_pod_may_be_replaced(scripted, pod):
    del pod.objects[POD_PATH]
    scripted.responses += [ClusterError("404", 404)]
    status = scripted.status(ATTEMPT, False)
    assert not status.is_running
    assert status.exit is None
    assert status.failure.is_retryable
    assert "lost its pod bench/k6-benchmark: the pod was deleted." in status.failure.text


def test_a_load_without_a_trace_is_not_tried_again(scripted):
    scripted.responses += [{"phase": "lost", "elapsed_cs": "600"}]
    status = scripted.status(ATTEMPT, False)
    assert not status.is_running
    assert not status.failure.is_retryable
    assert "k6 is gone and left no exit code" in status.failure.text


def test_a_lost_pod_may_be_retried_after_any_error(scripted, pod, tmp_path):
    del pod.objects[POD_PATH]
    scripted.responses += [ClusterError("cut")]
    with pytest.raises(GeneratorLostError, match=r"Pod bench/k6-benchmark: lost, the pod was deleted\."):
        scripted.fetch({"directory": str(tmp_path), "handle": HANDLE}, True)


@pytest.mark.parametrize(("left", "pause"), [(None, 5.0), (60, 5.0), (4, 2.0), (-3, 1.0)])
def test_the_status_is_polled_more_often_towards_the_end(left, pause):
    assert backend_of(None).poll_interval_s(left) == pause


def goes_on(pod, cell):
    return backend_of(pod).goes_on(cell, {"namespace": NAMESPACE, "pod": POD}, "abc")


def test_a_load_goes_on_until_it_is_recorded(pod, tmp_path, start):
    cell = tmp_path / CELL
    assert not goes_on(pod, cell)
    started = start(0.5)
    assert goes_on(pod, cell)
    wait_for_end(pod, started)
    assert goes_on(pod, cell)
    fetch(pod, cell)
    (cell / "cell.json").write_text(json.dumps({"attempts": [{"n": 1}]}))
    assert not goes_on(pod, cell)


def test_a_controller_without_files_knows_the_load_by_its_cell(pod, tmp_path, start):
    start(20)
    cell = tmp_path / CELL
    kept = shutil.move(cell, tmp_path / "kept")
    assert goes_on(pod, cell)
    shutil.move(kept, cell)


def test_a_load_of_another_cell_is_stopped(pod, tmp_path, start):
    started = start(20)
    assert not goes_on(pod, tmp_path / CELL.with_name("t2-c1-r1"))
    assert not backend_of(pod).status(started, False).is_running


def test_without_a_pod_no_load_goes_on(pod, tmp_path):
    del pod.objects[POD_PATH]
    assert not goes_on(pod, tmp_path / CELL)
