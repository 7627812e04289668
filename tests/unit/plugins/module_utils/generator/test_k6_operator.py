# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load that the k6-operator divides, from its start to its files, against a fake of cluster and operator whose runners run the real load.sh."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.schema import check
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import attempt as attempts
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import k6_operator, pod_files, pod_lifecycle, pod_rpc, test_run
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import GeneratorLostError, Load
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.k6_operator import K6OperatorBackend
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from fakes.fake_generator_pod import NAMESPACE, ROOT
from fakes.fake_k6_operator import PODS, TEST_RUNS, FakeK6Operator, generator_of
from fakes.k6_configs import load_config
from fakes.waiting import wait_until

CELL = Path("run", "cells", "t1-c1-r1")
SUMMARY = "summary_tenants-1_concurrency_1.json"


@pytest.fixture(name="cluster")
def fixture_cluster(tmp_path, monkeypatch):
    """A cluster with an operator that works; waits are short."""
    fake = FakeK6Operator(tmp_path / "cluster")
    monkeypatch.setattr(test_run, "_PATH", fake.path)
    monkeypatch.setattr(pod_rpc, "SCRIPT", fake.script)
    monkeypatch.setattr(pod_rpc, "run", fake.run)
    monkeypatch.setattr(k6_operator, "START_POLL_S", 0.05)
    monkeypatch.setattr(k6_operator, "START_PATIENCE", 3)
    monkeypatch.setattr(k6_operator, "DELETE_TIMEOUT_S", 0.3)
    for module in (pod_rpc, pod_files):
        monkeypatch.setattr(module, "PAUSE_S", 0.01)
    yield fake
    fake.close()


@pytest.fixture(name="start")
def fixture_start(cluster, tmp_path):
    """Start a load of so many seconds in three shards."""

    def start(seconds, shards=3, digest="abc", reusable=True, runner=None, **config):
        load = Load(
            directory=tmp_path / CELL,
            generator=generator_of(shards, **(runner or {})),
            config=load_config("http://127.0.0.1:1", window_s=seconds, **config),
            scripts_dir=str(ROOT / "files" / "k6"),
            schema_dir=str(ROOT / "files" / "schemas"),
            plan_digest=digest,
            is_finished_reusable=reusable,
        )
        return backend_of(cluster).start(load)

    return start


def backend_of(cluster):
    return K6OperatorBackend(lambda: cluster)


def wait_for_end(cluster, started):
    """Wait for the end of a load and return its last status."""
    backend, deadline = backend_of(cluster), time.monotonic() + 60
    while (status := backend.status(started, False)).is_running:
        assert time.monotonic() < deadline, "the fake never ended"
        time.sleep(0.05)
    return status


def shards_of(started):
    """Return shards.json of an attempt."""
    return json.loads((Path(started["directory"]) / "shards.json").read_text())


def test_a_load_runs_in_all_shards_and_is_fetched(start, cluster, tmp_path):
    started = start(0.3)
    ended = wait_for_end(cluster, started)
    assert ended.exit["exit_code"] == 0
    fetched = backend_of(cluster).fetch(attempts.latest_attempt(tmp_path / CELL), True)
    assert sorted(fetched["files"]) == sorted(f"shards/{shard}/{name}" for shard in (1, 2, 3) for name in ("k6.log", "raw.csv.gz", SUMMARY))
    record = shards_of(started)
    check(record, "shards", str(ROOT / "files" / "schemas"))
    assert [entry["is_complete"] for entry in record["shards"]] == [True, True, True]
    assert [(entry["shard"], entry["node"], entry["exit_code"], entry["reason"]) for entry in record["shards"]] == [
        (1, "node1", 0, None), (2, "node2", 0, None), (3, "node3", 0, None)
    ]  # fmt: skip
    assert record["planned"] == 3
    assert all(entry["cpu_s"] is not None for entry in record["shards"])
    assert attempts.read_exit(Path(started["directory"]))["exit_code"] == 0
    assert attempts.is_whole(Path(started["directory"]))
    # Nothing of it remains in the cluster.
    assert [path for path in cluster.objects if path.startswith((TEST_RUNS, PODS)) or path.endswith(started["handle"]["test_run"])] == []


def test_every_shard_gets_the_same_start_and_its_arguments(start, cluster):
    before = time.time()
    started = start(0.2)
    config = json.loads((Path(started["directory"]) / "load_config.json").read_text())
    assert (config["shards"], config["vus"], started["handle"]["shards"]) == (3, {"training": 3, "browsing": 6}, 3)
    # On a busy machine it is the second try that starts.
    assert before + 4.99 <= config["start_at"] <= time.time() + 5 * k6_operator.SECOND_MARGIN
    wait_for_end(cluster, started)
    backend_of(cluster).fetch(started, True)
    log = (Path(started["directory"]) / "shards" / "2" / "k6.log").read_text()
    assert f"--no-usage-report --out csv={started['handle']['directory']}/raw.csv /test/test.js --address=0.0.0.0:6565 --paused" in log


def test_the_status_counts_the_requests_of_all_shards(start, cluster, monkeypatch):
    started = start(300)
    backend = backend_of(cluster)
    monkeypatch.setattr(k6_operator.PodRpc, "call", lambda *_a, **_k: {"phase": "running", "counts": "7 1", "block": "2", "peak_kb": "3"})
    status = backend.status(started, True)
    assert (status.is_running, status.requests, status.failures) == (True, 21, 3)


def test_a_shard_that_does_not_answer_counts_as_running(start, cluster):
    started = start(300)
    cluster.fails = [ClusterError("the API server does not answer")]
    status = backend_of(cluster).status(started, False)
    assert (status.is_running, status.note) == (True, "the API server does not answer")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param(99, None, id="threshold"),
        pytest.param(108, "the script called test.abort()", id="abort"),
        pytest.param(107, "the script threw an exception", id="exception"),
    ],
)
def test_the_worst_exit_code_is_that_of_the_load(start, cluster, code, reason):
    cluster.late = {2: code}
    started = start(0.2)
    ended = wait_for_end(cluster, started)
    assert ended.exit["exit_code"] == code, ended
    backend_of(cluster).fetch(started, True)
    entry = shards_of(started)["shards"][1]
    assert (entry["exit_code"], entry["reason"], entry["is_complete"]) == (code, reason, True)
    assert attempts.read_exit(Path(started["directory"]))["exit_code"] == code


def test_the_others_are_stopped_when_a_threshold_ends_a_shard(start, cluster):
    cluster.late, cluster.seconds = {2: 99}, {2: 0.1}
    started = start(300)
    assert wait_for_end(cluster, started).exit["exit_code"] == 99
    backend_of(cluster).fetch(started, True)
    assert [entry["exit_code"] for entry in shards_of(started)["shards"]] == [105, 99, 105]
    assert attempts.read_exit(Path(started["directory"]))["exit_code"] == 99


def test_out_of_memory_names_the_shard_and_its_files_are_fetched(start, cluster, tmp_path):
    started = start(300)
    wait_until(lambda: cluster.has_rows(2))
    cluster.run_out_of_memory(2)
    failure = backend_of(cluster).status(started, False).failure
    assert not failure.is_retryable
    assert "lost 1 of 3 shards" in failure.text
    assert "shard 2: its container ran out of memory (OOMKilled, exit code 137)" in failure.text
    assert (Path(started["directory"]) / "shards" / "2" / "raw.csv.gz").exists()
    assert {name for pod, name, _words in cluster.commands if "-2-x" in pod and _words[0] == "pack"} == {"keeper"}
    attempts.stop_all(backend_of(cluster), tmp_path / CELL)
    assert [entry["exit_code"] for entry in shards_of(started)["shards"]] == [105, 137, 105]
    assert attempts.read_exit(Path(started["directory"]))["exit_code"] != 0


def test_memory_that_ends_k6_alone_is_a_failure_too(start, cluster, monkeypatch):
    """As with cgroup v1: the shell that keeps the container lives on, with the exit record of k6."""
    started = start(300)
    ended = '{"pid": 7, "exit_code": 137, "started": 100, "lasted_cs": 550, "cpu_times": "0m1.5s 1m0.25s", "oom_kills": 1}'
    monkeypatch.setattr(k6_operator.PodRpc, "call", lambda *_a, **_k: {"phase": "ended", "exit": ended})
    failure = backend_of(cluster).status(started, False).failure
    assert "shard 1: k6 ran out of memory (OOMKilled, exit code 137); shard 2: k6 ran" in failure.text
    assert not failure.is_retryable


def test_a_deleted_runner_makes_the_load_retryable_and_its_files_are_fetched(start, cluster, tmp_path):
    started = start(300)
    wait_until(lambda: cluster.has_rows(3))
    cluster.delete_pod(3)
    failure = backend_of(cluster).status(started, False).failure
    assert failure.is_retryable
    assert "shard 3: its pod is being deleted" in failure.text
    assert (Path(started["directory"]) / "shards" / "3" / "raw.csv.gz").exists()
    attempts.stop_all(backend_of(cluster), tmp_path / CELL)
    assert shards_of(started)["shards"][2]["exit_code"] == 105
    assert not attempts.is_whole(Path(started["directory"]))
    assert start(0.1)["n"] == 2


def test_a_runner_that_is_gone_has_no_files(start, cluster, tmp_path):
    started = start(300)
    cluster.delete_pod(1, is_gone=True)
    assert "shard 1: its pod was deleted" in backend_of(cluster).status(started, False).failure.text
    assert attempts.stop_all(backend_of(cluster), tmp_path / CELL)
    record = shards_of(started)
    check(record, "shards", str(ROOT / "files" / "schemas"))
    first, second, _third = record["shards"]
    assert (first["files"], first["exit_code"], first["reason"], first["is_complete"]) == ([], None, "its pod was deleted", False)
    assert "raw.csv.gz" in second["files"]


def test_a_runner_that_ends_before_the_start_ends_the_start(start, cluster, tmp_path):
    cluster.early = {2: 107}
    words = r"k6 of shard 2 ended before the start with exit code 107 \(the script threw an exception\); k6.log of shard 2: arguments run"
    with pytest.raises(ClusterError, match=words):
        start(1)
    assert [path for path in cluster.objects if path.startswith((TEST_RUNS, PODS))] == []
    assert (tmp_path / CELL / "attempts" / "1" / "shards" / "2" / "k6.log").exists()


def test_what_a_starter_left_paused_is_started(start, cluster):
    cluster.starter_fails = True
    started = start(0.2)
    assert sorted(cluster.unpaused) == [1, 2, 3]
    assert wait_for_end(cluster, started).exit["exit_code"] == 0


def test_a_starter_that_works_is_left_alone(start, cluster):
    start(300)
    assert cluster.unpaused == []


def test_a_rejected_pod_is_named_with_its_event(start, cluster):
    cluster.rejected = {3}
    with pytest.raises(ClusterError, match=r"FailedCreate \(exceeded quota\)"):
        start(1)
    assert [path for path in cluster.objects if path.startswith(TEST_RUNS)] == []


def test_a_script_error_is_named_with_the_log_of_the_initializer(start, cluster):
    cluster.script_error = "SyntaxError: at file:///scripts/x.js"
    with pytest.raises(ClusterError, match=r"the initializer failed before the start .*; log of the initializer: SyntaxError"):
        start(1)


def test_an_operator_that_is_not_there_is_named_after_two_tries(start, cluster):
    cluster.is_absent = True
    with pytest.raises(ClusterError, match="the k6-operator has not seen it"):
        start(1, runner={"start_margin_s": 0.1})
    assert len({path for method, path in cluster.requests if method == "DELETE" and path.startswith(TEST_RUNS)}) == 2


def test_a_test_run_that_is_deleted_before_the_start_may_be_retried(start, cluster):
    cluster.vanishes = True
    with pytest.raises(GeneratorLostError, match="deleted before its load began"):
        start(1)


def test_a_running_load_is_attached_to(start):
    first, second = start(300), start(300)
    assert (first["n"], first["attached"], second["n"], second["attached"]) == (1, False, 1, True)
    assert first["handle"] == second["handle"]


def test_a_controller_that_starts_from_nothing_finds_its_load(start, cluster, tmp_path):
    first = start(300)
    shutil.rmtree(tmp_path / "run")
    second = start(300)
    assert (second["attached"], second["handle"]["test_run"]) == (True, first["handle"]["test_run"])
    assert second["handle"]["directory"] == first["handle"]["directory"]


def test_another_load_of_the_same_run_is_deleted(start, cluster, tmp_path):
    first = start(300, seed=1)
    shutil.rmtree(tmp_path / "run")
    second = start(300, seed=2)
    assert not second["attached"]
    assert f"{TEST_RUNS}/{first['handle']['test_run']}" not in cluster.objects


@pytest.mark.parametrize(("reusable", "n"), [pytest.param(True, 1, id="used"), pytest.param(False, 2, id="not-wanted")])
def test_a_load_that_ended_unwatched(start, cluster, reusable, n):
    started = start(0.1, runner={"start_margin_s": 1})
    wait_for_end(cluster, started)
    # A load ends after its common start, for which the fake does not wait.
    time.sleep(max(0, started["handle"]["starts"] - time.time()))
    again = start(0.1, reusable=reusable)
    assert (again["n"], again["attached"]) == (n, reusable)


def test_runners_keep_their_files_until_these_are_fetched(start, cluster):
    started = start(0.1)
    wait_for_end(cluster, started)
    name = cluster.pod(1)["metadata"]["name"]
    time.sleep(0.3)
    assert cluster.processes[name].poll() is None
    backend_of(cluster).fetch(started, True)
    assert cluster.processes[name].wait(timeout=60) is not None


def test_a_load_goes_on_while_its_runners_do(start, cluster, tmp_path):
    directory, generator = tmp_path / CELL, generator_of(3)
    assert not backend_of(cluster).goes_on(directory, generator, "abc")
    start(300)
    assert backend_of(cluster).goes_on(directory, generator, "abc")
    shutil.rmtree(tmp_path / "run")
    assert backend_of(cluster).goes_on(directory, generator, "abc")
    assert not backend_of(cluster).goes_on(directory.with_name("another-cell"), generator, "abc")
    assert [path for path in cluster.objects if path.startswith(TEST_RUNS)] == []


def test_the_load_of_a_run_holds_its_lease_until_it_has_ended(start, cluster):
    # Long enough to be seen on a busy machine.
    started = start(6)
    name = cluster.pod(1)["metadata"]["name"]
    assert pod_lifecycle.running_load(cluster, NAMESPACE, "run") == f"Pod {NAMESPACE}/{name}"
    wait_for_end(cluster, started)
    assert pod_lifecycle.running_load(cluster, NAMESPACE, "run") == ""


def test_k6_in_a_runner_gets_the_environment_of_its_attempt_and_no_other(cluster, tmp_path):
    (cluster.directory / "bin" / "k6").write_text(f"#!{shutil.which('sh')}\nenv >environment.seen\nexit 7\n")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "load_config.json").write_text("{}")
    (tmp_path / "test" / "environment").write_text("HOME=/a b\nGOGC=200\n")
    own = {"PERFSCALE_ATTEMPT": str(tmp_path / "test"), "PERFSCALE_DIRECTORY": str(tmp_path / "load"), "PERFSCALE_HOLD_S": "0"}
    environment = {"PATH": f"{cluster.directory / 'scripts' / 'bin'}{os.pathsep}{cluster.path}", "K6_RPS": "1", **own}
    done = subprocess.run([str(cluster.directory / "scripts" / "bin" / "k6"), "run"], env=environment, timeout=10, check=False)
    assert done.returncode == 7
    seen = (tmp_path / "load" / "environment.seen").read_text().splitlines()
    assert {"HOME=/a b", "GOGC=200"} <= set(seen)
    assert [line for line in seen if line.startswith(("K6_RPS", "PERFSCALE_"))] == []


def test_the_container_beside_k6_stays_until_the_files_are_gone(cluster, tmp_path):
    directory = tmp_path / "load"
    directory.mkdir()
    keeper = subprocess.Popen([shutil.which("sh"), cluster.script, "keep", str(directory)])
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            keeper.wait(timeout=0.3)
        keeper.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            keeper.wait(timeout=1.5)
        directory.rmdir()
        assert keeper.wait(timeout=60) == 0
    finally:
        keeper.kill()
