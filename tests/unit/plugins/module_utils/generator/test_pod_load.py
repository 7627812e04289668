# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load in the pod from its start to its files, against a stand-in of pod and cluster that runs the real load.sh."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import shutil
import time
from pathlib import Path

import pytest
from pod_stand_in import POD, POD_PATH, ROOT, SECRET_PATH

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import attempt as attempts
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_access, pod_files, pod_load, pod_script
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_watch import PodWatch
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import read_raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import Container

SCHEMAS = str(ROOT / "files" / "schemas")
CELL = Path("run", "cells", "t1-c1-r1")
GENERATOR = {"kind": "pod", "namespace": "bench", "pod": POD, "cores": 1.5}


@pytest.fixture(name="start")
def fixture_start(pod, tmp_path):
    """Starts a load of so many seconds; whatever still runs at the end is stopped."""
    cell = tmp_path / CELL

    def start(seconds, digest="abc", reusable=True, **config):
        launch = {"generator": GENERATOR, "script": "x.js", "config_schema": None, "ca_file": None}
        return pod_load.start(pod, cell, {"seconds": seconds, **config}, launch, digest, reusable, SCHEMAS)

    yield start
    # A test may have broken what fetches the files.
    with contextlib.suppress(ClusterError):
        pod_load.stop(pod, cell)


def watch_of(pod, started):
    return PodWatch(lambda: pod, started["handle"])


def wait_for_end(pod, started):
    watch, deadline = watch_of(pod, started), time.monotonic() + 20
    while watch.look(False).is_running:
        assert time.monotonic() < deadline, "the stand-in never ended"
        time.sleep(0.02)
    return watch


def test_a_load_is_run_watched_and_fetched(start, pod, tmp_path):
    started = start(1)
    watch = watch_of(pod, started)
    look = watch.look(True)
    assert look.is_running and look.age_s >= 0
    ended = wait_for_end(pod, started).ended()
    assert (ended["exit_code"], ended["oom_kills"]) == (0, 0)
    assert ended["cpu_seconds"] is not None and ended["ended"] > ended["started"]
    brought = pod_load.fetch(pod, tmp_path / CELL, True)
    attempt = Path(started["directory"])
    assert sorted(brought["files"]) == ["k6.log", "raw.csv.gz", "summary_tenants-1_concurrency_1.json"]
    assert "said by the stand-in" in (attempt / "k6.log").read_text()
    assert attempts.exit_of(attempt)["exit_code"] == 0
    assert not Path(started["handle"]["directory"]).exists()
    assert pod_load.fetch(pod, tmp_path / CELL, True)["files"] == []


def test_the_lines_left_behind_are_those_nobody_reads(start, pod, tmp_path):
    started = start(0.1)
    wait_for_end(pod, started)
    pod_load.fetch(pod, tmp_path / CELL, True)
    packed = Path(started["directory"]) / "raw.csv.gz"
    whole = ROOT / "tests" / "unit" / "fixtures" / "k6" / "1.8.1" / "raw.csv"
    assert read_raw(packed, 60000) == read_raw(whole, 60000)
    assert len(gzip.decompress(packed.read_bytes())) < whole.stat().st_size / 2


def test_raw_output_stays_behind_when_nobody_wants_it(start, pod, tmp_path):
    started = start(0.1)
    wait_for_end(pod, started)
    assert "raw.csv.gz" not in pod_load.fetch(pod, tmp_path / CELL, False)["files"]


def test_a_running_load_is_attached_to(start):
    first, second = start(30), start(30)
    assert (first["n"], first["attached"], second["n"], second["attached"]) == (1, False, 1, True)
    assert first["handle"] == second["handle"]


@pytest.mark.parametrize(("reusable", "n"), [pytest.param(True, 1, id="used"), pytest.param(False, 2, id="not-wanted")])
@pytest.mark.parametrize("fetched", [pytest.param(True, id="fetched"), pytest.param(False, id="in-the-pod")])
def test_a_load_that_ended_well_unwatched(start, pod, tmp_path, reusable, n, fetched):
    wait_for_end(pod, start(0.1))
    if fetched:
        pod_load.fetch(pod, tmp_path / CELL, True)
    assert start(30, reusable=reusable)["n"] == n


def test_a_load_beside_that_of_another_run_is_refused(start, pod, tmp_path):
    start(30)
    launch = {"generator": GENERATOR, "script": "x.js", "config_schema": None, "ca_file": None}
    with pytest.raises(ClusterError, match=r"k6 runs in it already \(pid \d+\)"):
        pod_load.start(pod, tmp_path / "other-run" / "cells" / "t1-c1-r1", {"seconds": 30}, launch, "abc", True, SCHEMAS)


def forget(tmp_path):
    """What a new job in a fresh container knows of the load: nothing."""
    shutil.rmtree(tmp_path / "run")


def test_a_controller_that_starts_from_nothing_finds_its_running_load(start, tmp_path):
    first = start(30)
    forget(tmp_path)
    second = start(30)
    assert (second["n"], second["attached"], second["handle"]) == (1, True, first["handle"])
    assert second["started"] == pytest.approx(first["started"], abs=1)


@pytest.mark.parametrize(("reusable", "attached"), [pytest.param(True, True, id="used"), pytest.param(False, False, id="not-wanted")])
def test_a_controller_that_starts_from_nothing_finds_the_load_that_ended_well(start, pod, tmp_path, reusable, attached):
    wait_for_end(pod, start(0.1))
    forget(tmp_path)
    second = start(0.1, reusable=reusable)
    assert second["attached"] is attached
    if attached:
        assert "raw.csv.gz" in pod_load.fetch(pod, tmp_path / CELL, True)["files"]


def test_the_scripts_of_an_older_pod_know_no_loads(start, pod):
    script = pod.directory / "scripts" / "pod" / "load.sh"
    script.write_text(script.read_text().replace("run | loads |", "run |"))
    assert not start(0.1)["attached"]


def test_a_load_of_the_same_run_with_other_settings_makes_room(start, pod, tmp_path):
    first = start(30, users=1)
    forget(tmp_path)
    second = start(30, users=2)
    assert (second["attached"], second["handle"]["directory"] != first["handle"]["directory"]) == (False, True)
    assert wait_for_end(pod, first).ended()["exit_code"] == 128 + 15


def test_a_run_that_was_brought_back_elsewhere_goes_on_there(start, pod, tmp_path):
    first = start(0.1)
    shutil.copytree(tmp_path / "run", tmp_path / "elsewhere" / "run", ignore=shutil.ignore_patterns("attempts"))
    wait_for_end(pod, first)
    brought = pod_load.fetch(pod, tmp_path / "elsewhere" / CELL, True)
    assert "raw.csv.gz" in brought["files"]
    assert (tmp_path / "elsewhere" / CELL / "attempts" / "1" / "raw.csv.gz").is_file()


def test_a_lost_answer_starts_nothing_twice(start, pod):
    pod.cuts.append("start")
    start(30)
    assert [command[2] for command in pod.commands].count("start") == 2


def test_a_killed_load_is_stopped_fetched_and_not_used(start, pod, tmp_path):
    started = start(30)
    assert pod_load.stop(pod, tmp_path)
    attempt = Path(started["directory"])
    assert attempts.exit_of(attempt)["exit_code"] == 128 + 15
    assert (attempt / "raw.csv.gz").is_file()
    assert start(30)["n"] == 2


def test_tokens_reach_the_pod_and_nothing_else(start, pod, tmp_path):
    token, tokens = tmp_path / "token", tmp_path / "tokens.json"
    token.write_text("canary-token")
    tokens.write_text('{"tenant-1": "canary-token"}')
    started = start(0.1, mlflow={"token_file": str(token), "token_map_file": str(tokens)})
    data = {name: base64.b64decode(value) for name, value in pod.objects[SECRET_PATH]["data"].items()}
    assert data == {"token": b"canary-token", "tokens.json": b'{"tenant-1": "canary-token"}'}
    assert ("PATCH", POD_PATH) in pod.requests
    config = json.loads((Path(started["directory"]) / "load_config.json").read_text())
    access = pod.directory / "access"
    assert config["mlflow"] == {"token_file": f"{access}/token", "token_map_file": f"{access}/tokens.json"}
    wait_for_end(pod, started)
    assert "canary-token" not in json.dumps([pod.commands, pod.objects[POD_PATH], started, config])


def test_a_token_that_never_arrives_is_an_error(pod, monkeypatch):
    monkeypatch.setattr(pod, "sync", lambda: None)
    script = pod_script.PodScript(pod, Container("bench", POD, "k6"))
    with pytest.raises(ClusterError, match=r"does not see the new \S+/token after 0.1 s"):
        pod_access.renew(pod, script, {"token": b"x"}, within_s=0.1)


def test_an_unreadable_token_is_one_sentence(start):
    with pytest.raises(ValueError, match=r"File /nowhere: cannot be read"):
        start(1, mlflow={"token_file": "/nowhere"})


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
    with pytest.raises(pod_load.PodLost, match=words):
        start(1)


def test_a_damaged_configuration_is_sent_again_and_then_refused(start, pod, monkeypatch):
    real = pod.run
    monkeypatch.setattr(pod_script, "run", lambda cluster, container, argv, stdin=b"", timeout_s=30.0: real(cluster, container, argv, stdin[:-1], timeout_s))
    with pytest.raises(ClusterError, match="the configuration came damaged 3 times"):
        start(1)


def test_a_cut_download_goes_on_where_it_stopped(start, pod, tmp_path, monkeypatch):
    started = start(0.1)
    wait_for_end(pod, started)
    remote = Path(started["handle"]["directory"])
    (remote / "k6.log").write_bytes(bytes(range(256)) * 4096 * 3)
    monkeypatch.setattr(pod_files, "PIECE", 1)
    attempt = Path(started["directory"])
    (attempt / ".k6.log.part").write_bytes((remote / "k6.log").read_bytes()[: 2**20 + 5])
    pod_load.fetch(pod, tmp_path / CELL, True)
    assert (attempt / "k6.log").stat().st_size == 3 * 2**20
    assert [command[5] for command in pod.commands if command[2:5:2] == ["read", "k6.log"]] == ["1", "2"]


def test_a_file_that_comes_damaged_twice_stays_in_the_pod(start, pod, tmp_path, monkeypatch):
    started = start(0.1)
    wait_for_end(pod, started)
    monkeypatch.setattr(pod_files.PodScript, "read", lambda _self, _directory, _file, _chunk, _count: b"x" * len("said by the stand-in\n"))
    with pytest.raises(ClusterError, match=r"File k6\.log of pod k6-benchmark: came with another checksum, twice"):
        pod_load.fetch(pod, tmp_path / CELL, True)
    assert Path(started["handle"]["directory"]).exists()


def test_a_connection_that_keeps_breaking_is_named(start, pod, tmp_path, monkeypatch):
    wait_for_end(pod, start(0.1))
    monkeypatch.setattr(pod_files.PodScript, "read", lambda _self, _directory, _file, _chunk, _count: b"")
    with pytest.raises(ClusterError, match="was cut off 5 times"):
        pod_load.fetch(pod, tmp_path / CELL, True)


def test_nothing_to_fetch_or_stop(pod, tmp_path):
    assert not pod_load.stop(pod, tmp_path)
    with pytest.raises(ClusterError, match=r"has no state\.json"):
        pod_load.fetch(pod, tmp_path, True)
