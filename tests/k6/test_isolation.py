# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing on the machine changes the load: k6, started as a run starts it, beside settings that a user or an image left lying around."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.attempt import k6_command, read_exit
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess
from fakes.fake_mlflow_k6 import fake_mlflow
from fakes.k6_configs import load_config
from programs.k6 import LOAD, SCRIPTS

# The limit lets seven through, else three VUs send more than a hundred.
UNLIMITED = 40
WINDOW_S = 1


@pytest.fixture(name="slow_machine", params=["home", "environment", "directory"])
def fixture_slow_machine(request, tmp_path, monkeypatch):
    """Leave a limit of two requests per second where k6 looks for settings, and return the environment and the attempt's directory."""
    attempt = tmp_path / "attempt"
    attempt.mkdir()
    environment = {"HOME": str(tmp_path)}
    if request.param == "environment":
        environment |= {"K6_RPS": "2", "K6_CONFIG": "/nowhere.json", "GOMAXPROCS": "1"}
    if request.param == "home":
        for folder in (".config/k6", ".config/loadimpact/k6"):
            (tmp_path / folder).mkdir(parents=True)
            (tmp_path / folder / "config.json").write_text('{"rps": 2}')
    if request.param == "directory":
        (attempt / ".env").write_text("K6_RPS=2\n")
        (attempt / "config.json").write_text('{"rps": 2}')
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return attempt


def configure(directory: Path, url: str) -> None:
    config = load_config(url, profile={"kind": "closed", "concurrency": 3}, think_time_s=0.05, warmup_s=0, window_s=WINDOW_S)
    (directory / "load_config.json").write_text(json.dumps({**config, "out_dir": str(directory)}))


def requests_in(directory: Path) -> int:
    return sum(row.startswith("http_req_failed,") for row in (directory / "raw.csv").read_text().splitlines())


def wait_for(record) -> None:
    deadline = time.monotonic() + 60
    while not record() and time.monotonic() < deadline:
        time.sleep(0.1)


def test_a_process_takes_its_settings_from_the_run_alone(slow_machine, k6):
    with fake_mlflow() as url:
        configure(slow_machine, url)
        DetachedProcess("k6", str(slow_machine), k6_command(k6, str(LOAD), slow_machine, None)).start(may_end=True)
        wait_for(lambda: read_exit(slow_machine))
    assert read_exit(slow_machine)["exit_code"] == 0, (slow_machine / "k6.log").read_text()
    assert requests_in(slow_machine) > UNLIMITED


def test_a_pod_takes_its_settings_from_the_run_alone(slow_machine, any_k6, tmp_path):
    command = k6_command(any_k6, str(LOAD), slow_machine, None)
    with fake_mlflow() as url:
        configure(slow_machine, url)
        body = (slow_machine / "load_config.json").read_bytes()
        total = subprocess.run(["sha256sum"], input=body, capture_output=True, check=True).stdout.split()[0].decode()
        words = ["start", str(slow_machine), str(len(body)), total, *(f"{name}={value}" for name, value in command["env"].items()), "--", *command["argv"]]
        # pids_of finds a k6 of other tests by its name; this one has a name of its own.
        own = tmp_path / f"k6-{os.getpid()}"
        shutil.copy(any_k6, own)
        words[words.index("--") + 1] = str(own)
        started = subprocess.run(["sh", str(SCRIPTS / "pod/load.sh"), *words], input=body, capture_output=True, check=True, timeout=30).stdout
        assert b"started=now" in started
        wait_for((slow_machine / "exit.json").exists)
    assert json.loads((slow_machine / "exit.json").read_text())["exit_code"] == 0, (slow_machine / "k6.log").read_text()
    assert requests_in(slow_machine) > UNLIMITED
