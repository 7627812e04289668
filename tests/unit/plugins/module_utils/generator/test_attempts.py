# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attempts of the generator and k6's command line; a `sleep` under the name of k6 is the stand-in for the load."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import attempt as attempts
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import process
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import ProcessError

SCHEMAS = Path(__file__).resolve().parents[5] / "files" / "schemas"


@pytest.fixture(name="stand_in")
def fixture_stand_in(tmp_path):
    """An executable that takes k6's arguments, writes a raw file and sleeps as long as its script's name says."""
    path = tmp_path / "k6-stand-in"
    path.write_text(
        f'#!{shutil.which("sh")}\nfor last; do :; done\n: > raw.csv\nexec {shutil.which("sleep")} "$(basename "$last")"\n',
        encoding="utf-8",
    )
    path.chmod(0o755)
    return str(path)


@pytest.fixture(name="launch")
def fixture_launch(stand_in, tmp_path):
    """Starts the stand-in and stops whatever still runs at the end."""
    directories = []

    def launch(directory, seconds, digest="abc", is_finished_reusable=True):
        directories.append(directory)
        command = {"binary": stand_in, "script": f"/scripts/{seconds}", "ca_file": None}
        return process.start(directory, {"cell_id": "t1-c1-r1"}, command, digest, is_finished_reusable, str(SCHEMAS))

    yield launch
    for directory in directories:
        process.stop(directory)


def wait_for_exit(attempt):
    deadline = time.monotonic() + 20
    while attempts.exit_of(Path(attempt["directory"])) is None:
        assert time.monotonic() < deadline, "the stand-in never ended"
        time.sleep(0.02)


def test_a_running_load_is_attached_to(launch, tmp_path):
    first = launch(tmp_path / "cell", 30)
    second = launch(tmp_path / "cell", 30)
    assert (first["n"], first["attached"]) == (1, False)
    assert (second["n"], second["attached"], second["handle"]) == (1, True, first["handle"])


def test_the_configuration_says_where_to_write(launch, tmp_path):
    started = launch(tmp_path / "cell", 30)
    config = json.loads((Path(started["directory"]) / "load_config.json").read_text(encoding="utf-8"))
    assert config == {"cell_id": "t1-c1-r1", "out_dir": started["directory"]}


@pytest.mark.parametrize(("reusable", "n"), [pytest.param(True, 1, id="used"), pytest.param(False, 2, id="not-wanted")])
def test_a_load_that_ended_well_unwatched(launch, tmp_path, reusable, n):
    wait_for_exit(launch(tmp_path / "cell", 0))
    assert launch(tmp_path / "cell", 30, is_finished_reusable=reusable)["n"] == n


def test_a_recorded_attempt_is_not_used_again(launch, tmp_path):
    wait_for_exit(launch(tmp_path / "cell", 0))
    (tmp_path / "cell" / "cell.json").write_text('{"attempts": [{"n": 1}]}', encoding="utf-8")
    assert launch(tmp_path / "cell", 30)["n"] == 2


def test_a_load_of_another_plan_is_not_attached_to(launch, tmp_path):
    wait_for_exit(launch(tmp_path / "cell", 0))
    assert launch(tmp_path / "cell", 30, digest="other")["n"] == 2


def test_a_killed_load_is_not_used_and_counts_like_a_shell(launch, tmp_path):
    started = launch(tmp_path / "cell", 30)
    assert process.stop(tmp_path / "cell")
    assert attempts.exit_of(Path(started["directory"]))["exit_code"] == 128 + 15
    assert launch(tmp_path / "cell", 30)["n"] == 2
    assert process.stop(tmp_path / "cell")
    assert not process.stop(tmp_path / "cell")


def test_the_loads_of_a_whole_run_are_stopped(launch, tmp_path):
    for name in ("t1-c1-r1", "t1-c2-r1"):
        launch(tmp_path / "run" / "cells" / name, 30)
    assert process.stop(tmp_path / "run")
    assert not process.stop(tmp_path / "run")


def test_a_load_whose_files_were_thrown_away_is_stopped(launch, tmp_path):
    cell = Path("run-1", "cells", "t1-c1-r1")
    lost, kept = launch(tmp_path / "old" / cell, 30), launch(tmp_path / "old" / "run-2" / "cells" / "t1-c1-r1", 30)
    shutil.rmtree(tmp_path / "old" / "run-1")
    assert not launch(tmp_path / "new" / cell, 30)["attached"]
    assert not process.is_running(lost["handle"])
    assert process.is_running(kept["handle"])


def test_the_state_of_a_process_that_ran_elsewhere_is_only_counted(launch, tmp_path):
    launch(tmp_path / "old" / "cells" / "x", 30)
    (tmp_path / "new" / "cells" / "x").mkdir(parents=True)
    shutil.copy(tmp_path / "old" / "cells" / "x" / "state.json", tmp_path / "new" / "cells" / "x")
    assert attempts.read_state(tmp_path / "new" / "cells" / "x") == {}
    assert launch(tmp_path / "new" / "cells" / "x", 30)["n"] == 2


def test_nothing_to_stop(tmp_path):
    assert not process.stop(tmp_path / "nowhere")


def test_a_missing_binary_is_one_sentence(tmp_path):
    command = {"binary": str(tmp_path / "no-k6"), "script": "/scripts/1", "ca_file": None}
    with pytest.raises(ProcessError, match="Process k6: not started"):
        process.start(tmp_path / "cell", {}, command, "abc", True, str(SCHEMAS))


def test_the_command_has_no_flag_that_k6_2_removed(tmp_path):
    command = process.command_of("/bin/k6", "/s.js", tmp_path, "/ca.pem")
    assert "--no-summary" not in command["argv"]
    assert command["argv"][-1] == "/s.js"
    assert command["env"]["SSL_CERT_FILE"] == "/ca.pem"
    assert not any("TOKEN" in key for key in command["env"])
