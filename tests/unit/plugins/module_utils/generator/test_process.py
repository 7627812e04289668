# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k6 as a process of this machine, and the attempts of a load; a `sleep` under the name of k6 is the fake of the load."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import psutil
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import attempt as attempts
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import process
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import Load
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.process import ProcessBackend
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess, ProcessError
from fakes.k6_configs import load_config
from fakes.waiting import wait_until

ROOT = Path(__file__).resolve().parents[5]
CONFIG = load_config("http://127.0.0.1:1")
ROWS = "metric_name,timestamp,metric_value\\nhttp_req_failed,1,0\\nhttp_req_failed,1,1\\n"


def load_of(directory, script="1-0", **changes):
    """A load whose generator has no k6."""
    settings = {
        "generator": {"binary": str(directory / "no-k6")},
        "config": CONFIG,
        "scripts_dir": "/scripts",
        "schema_dir": str(ROOT / "files" / "schemas"),
        "plan_digest": "abc",
        **changes,
    }
    return Load(directory=directory, script=script, **settings)


@pytest.fixture(name="binary")
def fixture_binary(tmp_path):
    """An executable that accepts k6's arguments, writes a raw file, and runs SECONDS until it ends with CODE: its script's name is SECONDS-CODE."""
    path = tmp_path / "fake-k6"
    path.write_text(
        f'#!{shutil.which("sh")}\nfor last; do :; done\n: > raw.csv\nname=${{last##*/}}\n'
        f'{shutil.which("sleep")} "${{name%-*}}" && exit "${{name#*-}}"\n',
        encoding="utf-8",
    )
    path.chmod(0o755)
    return str(path)


@pytest.fixture(name="start")
def fixture_start(binary):
    """Start the fake and stop what still runs at the end."""
    directories = []

    def start(directory, seconds, code=0, **changes):
        directories.append(directory)
        return ProcessBackend().start(load_of(directory, f"{seconds}-{code}", generator={"binary": binary}, **changes))

    yield start
    for directory in directories:
        stop(directory)


def stop(directory):
    return attempts.stop_all(ProcessBackend(), directory)


def wait_for_exit(attempt):
    wait_until(lambda: attempts.read_exit(Path(attempt["directory"])) is not None, "the end of the fake")


def test_a_running_load_is_attached_to(start, tmp_path):
    first = start(tmp_path / "cell", 30)
    second = start(tmp_path / "cell", 30)
    assert (first["n"], first["attached"]) == (1, False)
    assert (second["n"], second["attached"], second["handle"]) == (1, True, first["handle"])


def test_the_configuration_has_the_output_paths(start, tmp_path):
    started = start(tmp_path / "cell", 30)
    config = json.loads((Path(started["directory"]) / "load_config.json").read_text(encoding="utf-8"))
    assert config == {**CONFIG, "out_dir": started["directory"]}


@pytest.mark.parametrize(("workload", "field"), [("load", "cell_id"), ("prefill", "profile")])
def test_a_configuration_of_another_workload_is_an_error(start, tmp_path, workload, field):
    config = {name: value for name, value in CONFIG.items() if name != "cell_id"}
    with pytest.raises(ValueError, match=field):
        start(tmp_path / "cell", 30, config=config, workload=workload)
    assert not (tmp_path / "cell" / "state.json").exists()


@pytest.mark.parametrize(("reusable", "n"), [pytest.param(True, 1, id="used"), pytest.param(False, 2, id="not-wanted")])
@pytest.mark.parametrize("code", [pytest.param(0, id="ended"), pytest.param(99, id="threshold-crossed"), pytest.param(110, id="marked-as-failed")])
def test_a_load_with_a_complete_window_that_ended_unwatched(start, tmp_path, reusable, n, code):
    wait_for_exit(start(tmp_path / "cell", 0, code))
    assert start(tmp_path / "cell", 30, is_finished_reusable=reusable)["n"] == n


def test_a_load_that_broke_off_is_not_used(start, tmp_path):
    wait_for_exit(start(tmp_path / "cell", 0, 107))
    assert start(tmp_path / "cell", 30)["n"] == 2


def test_a_recorded_attempt_is_not_used_again(start, tmp_path):
    wait_for_exit(start(tmp_path / "cell", 0))
    (tmp_path / "cell" / "cell.json").write_text('{"attempts": [{"n": 1}]}', encoding="utf-8")
    assert start(tmp_path / "cell", 30)["n"] == 2


def test_a_load_of_another_plan_is_not_attached_to(start, tmp_path):
    wait_for_exit(start(tmp_path / "cell", 0))
    assert start(tmp_path / "cell", 30, plan_digest="other")["n"] == 2


def test_a_killed_load_is_not_used_and_counts_like_a_shell(start, tmp_path):
    started = start(tmp_path / "cell", 30)
    assert stop(tmp_path / "cell")
    assert attempts.read_exit(Path(started["directory"]))["exit_code"] == 128 + 15
    assert start(tmp_path / "cell", 30)["n"] == 2
    assert stop(tmp_path / "cell")
    assert not stop(tmp_path / "cell")


def test_the_loads_of_a_whole_run_are_stopped(start, tmp_path):
    for name in ("t1-c1-r1", "t1-c2-r1"):
        start(tmp_path / "run" / "cells" / name, 30)
    assert stop(tmp_path / "run")
    assert not stop(tmp_path / "run")


def test_a_load_whose_files_were_deleted_is_stopped(start, tmp_path):
    cell = Path("run-1", "cells", "t1-c1-r1")
    orphan, other = start(tmp_path / "old" / cell, 30), start(tmp_path / "old" / "run-2" / "cells" / "t1-c1-r1", 30)
    shutil.rmtree(tmp_path / "old" / "run-1")
    assert not start(tmp_path / "new" / cell, 30)["attached"]
    assert not process.is_running(orphan["handle"])
    assert process.is_running(other["handle"])


def test_the_state_of_a_process_that_ran_elsewhere_is_only_counted(start, tmp_path):
    start(tmp_path / "old" / "cells" / "x", 30)
    (tmp_path / "new" / "cells" / "x").mkdir(parents=True)
    shutil.copy(tmp_path / "old" / "cells" / "x" / "state.json", tmp_path / "new" / "cells" / "x")
    assert attempts.read_state(tmp_path / "new" / "cells" / "x") == {}
    assert start(tmp_path / "new" / "cells" / "x", 30)["n"] == 2


def test_nothing_to_stop(tmp_path):
    assert not stop(tmp_path / "nowhere")


def test_there_is_nothing_to_fetch_from_a_process(start, tmp_path):
    assert ProcessBackend().fetch(start(tmp_path / "cell", 30), True) == {"files": [], "bytes": 0, "seconds": 0.0}


def test_a_missing_binary_is_one_sentence(tmp_path):
    with pytest.raises(ProcessError, match="Process k6: not started"):
        ProcessBackend().start(load_of(tmp_path / "cell"))


def test_the_command_has_no_flag_that_k6_2_removed(tmp_path):
    command = attempts.k6_command("/bin/k6", "/s.js", tmp_path, "/ca.pem")
    assert "--no-summary" not in command["argv"]
    assert command["argv"][-1] == "/s.js"
    assert command["env"]["SSL_CERT_FILE"] == "/ca.pem"
    assert not any("TOKEN" in key for key in command["env"])


def test_live_metrics_go_beside_the_samples(tmp_path):
    command = attempts.k6_command("/bin/k6", "/s.js", tmp_path, None, live="http://127.0.0.1:9090/api/v1/write")
    assert [after for before, after in itertools.pairwise(command["argv"]) if before == "--out"] == [f"csv={tmp_path}/raw.csv", "experimental-prometheus-rw"]
    assert command["env"]["K6_PROMETHEUS_RW_SERVER_URL"] == "http://127.0.0.1:9090/api/v1/write"
    quiet = attempts.k6_command("/bin/k6", "/s.js", tmp_path, None)
    assert not [name for name in quiet["env"] if "PROMETHEUS" in name]
    assert "experimental-prometheus-rw" not in quiet["argv"]


@pytest.mark.parametrize(
    ("kind", "url", "problem"),
    [
        pytest.param("prometheus_rw", "", "no URL to send them to. Set k6_runner_live_url", id="none"),
        pytest.param("prometheus_rw", "http://a:secret@h/write", "user information in the URL http://h/write. Remove it", id="password"),
        pytest.param("prometheus_rw", "127.0.0.1:9090", "127.0.0.1:9090 is no URL. Write it as http://", id="no-scheme"),
    ],
)
def test_a_url_for_live_metrics_that_cannot_be_used_is_a_sentence(kind, url, problem):
    with pytest.raises(ValueError, match=r"^Live metrics prometheus_rw: ") as raised:
        attempts.live_url(kind, url)
    assert problem in str(raised.value)


def test_without_live_metrics_no_url_is_used():
    assert (attempts.live_url("", "http://127.0.0.1:9090"), attempts.live_url(None, None)) == ("", "")


def test_a_process_is_watched_to_its_end(tmp_path):
    argv = [shutil.which("sh"), "-c", f'printf "{ROWS}" > written; {shutil.which("mv")} written raw.csv; exec {shutil.which("sleep")} 30']
    detached = DetachedProcess("k6", str(tmp_path), {"argv": argv, "env": {}, "chdir": str(tmp_path), "user": None})
    detached.start()
    described = detached.describe()
    attempt = {"directory": str(tmp_path), "handle": {key: described[key] for key in ("pid", "start_time")}}
    backend = ProcessBackend()
    try:
        wait_until((tmp_path / "raw.csv").exists)
        assert backend.status(attempt, False).requests == 0
        status = backend.status(attempt, True)
        assert (status.is_running, status.requests, status.failures) == (True, 2, 1)
        assert status.age_s < 60
        assert backend.status(attempt, True).requests == 0
    finally:
        assert backend.stop(attempt)
    status = backend.status(attempt, False)
    assert not status.is_running
    assert status.exit["exit_code"] == 128 + 15
    assert backend.poll_interval_s(None) == backend.poll_interval_s(1) < 1


def test_a_process_that_left_no_trace_is_not_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "EXIT_FILE_TIMEOUT_S", 0)
    status = ProcessBackend().status({"directory": str(tmp_path), "handle": {"pid": 2**22 + 1, "start_time": 0}}, True)
    assert not status.is_running
    assert status.exit is None
    assert "it or its watcher was killed" in status.failure.text
    assert not status.failure.is_retryable


def test_the_load_goes_through_the_proxy_of_the_environment(start, tmp_path, monkeypatch):
    """Which one is recorded, its password is not."""
    monkeypatch.setenv("HTTP_PROXY", "http://user:secretpw@proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8")
    directory = tmp_path / "run" / "cells" / "c1"
    attempt = start(directory, 5, config=load_config("http://mlflow.example"))
    environment = psutil.Process(attempt["handle"]["pid"]).environ()
    assert (environment["HTTP_PROXY"], environment["NO_PROXY"]) == ("http://user:secretpw@proxy.example:3128", "10.0.0.0/8")
    written = {path.name: path.read_text(errors="replace") for path in directory.rglob("*") if path.is_file()}
    assert json.loads(written["load_config.json"])["mlflow"]["proxy"] == "http://proxy.example:3128"
    assert "secretpw" not in "".join(written.values())


def test_without_a_proxy_none_is_recorded(start, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8")
    directory = tmp_path / "run" / "cells" / "c1"
    start(directory, 0, config=load_config("http://10.4.5.6"))
    assert json.loads((directory / "attempts" / "1" / "load_config.json").read_text())["mlflow"].get("proxy") is None
