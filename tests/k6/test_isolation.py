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
from fakes.k6_configs import load_config
from fakes.simulated_mlflow import simulated_mlflow, simulated_url
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
    with simulated_url() as url:
        configure(slow_machine, url)
        DetachedProcess("k6", str(slow_machine), k6_command(k6, str(LOAD), slow_machine, None)).start(may_end=True)
        wait_for(lambda: read_exit(slow_machine))
    assert read_exit(slow_machine)["exit_code"] == 0, (slow_machine / "k6.log").read_text()
    assert requests_in(slow_machine) > UNLIMITED


def run_as_in_a_pod(k6: str, directory: Path, url: str, proxy: str | None = None) -> int:
    """Run a load to its end by the script of the pod, and return its exit code."""
    configure(directory, url)
    command = k6_command(k6, str(LOAD), directory, None, proxy)
    body = (directory / "load_config.json").read_bytes()
    total = subprocess.run(["sha256sum"], input=body, capture_output=True, check=True).stdout.split()[0].decode()
    words = ["start", str(directory), str(len(body)), total, *(f"{name}={value}" for name, value in command["env"].items()), "--", *command["argv"]]
    # pids_of finds a k6 of other tests by its name; this one has a name of its own.
    own = directory.parent / f"k6-{os.getpid()}"
    shutil.copy(k6, own)
    words[words.index("--") + 1] = str(own)
    started = subprocess.run(["sh", str(SCRIPTS / "pod/load.sh"), *words], input=body, capture_output=True, check=True, timeout=30).stdout
    assert b"started=now" in started
    wait_for((directory / "exit.json").exists)
    return json.loads((directory / "exit.json").read_text())["exit_code"]


def test_a_pod_takes_its_settings_from_the_run_alone(slow_machine, any_k6):
    with simulated_url() as url:
        assert run_as_in_a_pod(any_k6, slow_machine, url) == 0, (slow_machine / "k6.log").read_text()
    assert requests_in(slow_machine) > UNLIMITED


@pytest.fixture(name="attempt")
def fixture_attempt(tmp_path):
    """Return the directory of an attempt."""
    directory = tmp_path / "attempt"
    directory.mkdir()
    return directory


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_a_pod_goes_through_the_configured_proxy_alone(name, attempt, any_k6, monkeypatch):
    """The simulation is the proxy, and nobody knows the name of the server behind it; the proxy of the environment does not exist."""
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "*")
    with simulated_mlflow() as proxy:
        assert run_as_in_a_pod(any_k6, attempt, "http://mlflow.invalid", proxy.url) == 0, (attempt / "k6.log").read_text()
    assert len(proxy.served) >= requests_in(attempt) > UNLIMITED


def test_a_pod_uses_no_proxy_that_is_not_configured(attempt, any_k6, monkeypatch):
    with simulated_mlflow() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        run_as_in_a_pod(any_k6, attempt, "http://mlflow.invalid")
    assert proxy.served == []
