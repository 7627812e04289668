# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing on the machine changes the load: k6, started as a run starts it, beside settings that a user or an image left lying around."""

from __future__ import annotations

import pytest

from fakes.k6_configs import load_config
from fakes.simulated_mlflow import simulated_mlflow, simulated_url
from programs.k6 import requests_of, run_as_in_a_pod, run_detached

# The limit lets seven through, else three VUs send more than a hundred.
UNLIMITED = 40
WINDOW_S = 1


def config(url: str) -> dict:
    return load_config(url, profile={"kind": "closed", "concurrency": 3}, think_time_s=0.05, warmup_s=0, window_s=WINDOW_S)


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


def test_a_process_takes_its_settings_from_the_run_alone(slow_machine, k6):
    with simulated_url() as url:
        assert run_detached(k6, slow_machine, config(url)) == 0, (slow_machine / "k6.log").read_text()
    assert requests_of(slow_machine) > UNLIMITED


def test_a_pod_takes_its_settings_from_the_run_alone(slow_machine, any_k6):
    with simulated_url() as url:
        assert run_as_in_a_pod(any_k6, slow_machine, config(url)) == 0, (slow_machine / "k6.log").read_text()
    assert requests_of(slow_machine) > UNLIMITED


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
        assert run_as_in_a_pod(any_k6, attempt, config("http://mlflow.invalid"), proxy=proxy.url) == 0, (attempt / "k6.log").read_text()
    assert len(proxy.served) >= requests_of(attempt) > UNLIMITED


def test_a_pod_uses_no_proxy_that_is_not_configured(attempt, any_k6, monkeypatch):
    with simulated_mlflow() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        run_as_in_a_pod(any_k6, attempt, config("http://mlflow.invalid"))
    assert proxy.served == []
