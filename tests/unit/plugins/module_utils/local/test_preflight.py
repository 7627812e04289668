# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what is looked at before anything is started."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import lock
from ansible_collections.perfscale.mlflow.plugins.module_utils.local import commands, preflight, readiness
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient


def test_missing_packages_are_named_together() -> None:
    assert preflight.package_problems(["json", "os"]) == []
    (problem,) = preflight.package_problems(["json", "no_such_a", "no_such_b"])
    assert problem.startswith("Python packages no_such_a, no_such_b: missing beside ")


def test_a_directory_that_does_not_exist_yet_is_fine(tmp_path: Path) -> None:
    assert preflight.directory_problems(str(tmp_path / "a/b"), 1) == []
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (problem,) = preflight.directory_problems(str(tmp_path / "file/results"), 1)
    assert problem == f"Results directory {tmp_path}/file/results: {tmp_path}/file is a file. Choose another results_dir."


def test_a_directory_that_cannot_be_written_is_named() -> None:
    (problem,) = preflight.directory_problems("/proc/results", 1)
    assert problem.startswith("Results directory /proc/results: not writable (")


def test_a_small_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=3 * 2**20))
    (problem,) = preflight.directory_problems(str(tmp_path), 2**30)
    assert "3 MiB free, the run may need 1024 MiB" in problem


@pytest.mark.parametrize(
    ("changes", "starts"),
    [
        pytest.param({}, [], id="defaults"),
        pytest.param({"db_backend": "mysql"}, ["Database mysql: unknown."], id="database"),
        pytest.param({"mlflow_url": "http://m"}, ["Metrics of http://m: no Prometheus is given"], id="no word about metrics"),
        pytest.param({"mlflow_url": "http://m", "metrics_profile": "none"}, [], id="none in words"),
        pytest.param({"mlflow_url": "http://m", "prometheus_url": "http://p"}, [], id="a Prometheus"),
        pytest.param({"metrics_profile": "nine"}, ["Metrics profile nine: unknown. Allowed: none, local, or the path"], id="profile"),
        pytest.param({"metrics_profile": "local"}, [], id="shipped profile"),
        pytest.param({"metrics_profile": __file__}, [], id="own profile"),
        pytest.param({"db_backend": "x", "metrics_profile": "y"}, ["Database x", "Metrics profile y"], id="both at once"),
    ],
)
def test_settings(tmp_path: Path, changes: dict[str, str], starts: list[str]) -> None:
    (tmp_path / "local.yml").write_text("[]")
    settings = {"db_backend": "sqlite", "mlflow_url": "", "prometheus_url": "", "metrics_profile": "", "profiles_dir": str(tmp_path), **changes}
    problems = preflight.settings_problems(settings)
    assert len(problems) == len(starts)
    assert all(problem.startswith(start) for problem, start in zip(problems, starts, strict=True))


def test_programs_that_are_there(only_these: Callable[..., Path], tmp_path: Path) -> None:
    k6 = only_these("k6", "echo k6 v1.8.1")
    only_these("prometheus", "exit 0")
    settings = {"cache": tmp_path, "paths": {}, "names": ["mlflow", "prometheus", "postgres"], "mlflow_version": "3.10.0"}
    assert preflight.program_problems(settings) == ([], {"k6": {"path": str(k6), "version": "1.8.1"}})


def test_programs_that_are_missing(only_these: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise KeyError("postgres or nobody")

    monkeypatch.setattr(commands, "unprivileged", none)
    settings = {"cache": tmp_path, "paths": {"k6": str(only_these("k6", "echo k6 v0.40.0"))}, "names": ["mlflow", "postgres"]}
    settings["mlflow_version"] = "2.0"
    problems, facts = preflight.program_problems(settings)
    assert [problem.split(":")[0] for problem in problems] == ["k6", "MLflow version 2.0", "PostgreSQL"]
    assert facts == {}


def test_a_stack_in_use_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert preflight.stack_problems(str(tmp_path)) == []

    def held(_path):
        raise lock.LockedError({"pid": 1, "about": "run-a"})

    monkeypatch.setattr(lock, "check", held)
    (problem,) = preflight.stack_problems(str(tmp_path))
    assert "in use by run run-a" in problem


class FakeChecks:
    """A fake of the checks of MLflow; notes the token that it was given."""

    def __init__(self, problems: list[str] | None = None, error: str = "") -> None:
        self.problems = problems or []
        self.error = error
        self.token = ""
        self.token_file = ""

    def check(self, _url: str, token_file: str | None, *_more: Any, anonymous: bool) -> list[str]:
        self.token_file, self.anonymous = token_file or "", anonymous
        self.token = Path(token_file).read_text() if token_file else ""
        return self.problems

    def read(self, *_args: Any) -> dict[str, Any]:
        if self.error:
            raise MlflowError(self.error)
        return {"version": "3.17.2"}


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        pytest.param(FakeChecks(), ([], {"version": "3.17.2"}), id="fine"),
        pytest.param(FakeChecks(problems=["MLflow: no."]), (["MLflow: no."], {}), id="problem"),
        pytest.param(FakeChecks(error="MLflow: gone."), (["MLflow: gone."], {}), id="gone between two requests"),
    ],
)
def test_a_token_by_value_is_in_a_private_file_for_a_moment(monkeypatch: pytest.MonkeyPatch, server: FakeChecks, expected: Any) -> None:
    monkeypatch.setattr(preflight, "mlflow_problems", server.check)
    monkeypatch.setattr(preflight, "read_server", server.read)
    assert preflight.server_problems({"url": "http://m", "token": "secret"}) == expected
    assert server.token == "secret"
    assert not os.path.exists(server.token_file)


def test_a_token_file_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("mine")
    server = FakeChecks()
    monkeypatch.setattr(preflight, "mlflow_problems", server.check)
    monkeypatch.setattr(preflight, "read_server", server.read)
    preflight.server_problems({"url": "http://m", "token_file": str(tmp_path / "token")})
    assert server.token_file == str(tmp_path / "token")


def test_a_prometheus_that_is_down_is_named() -> None:
    url = f"http://127.0.0.1:{readiness.choose_port()}"
    (problem,) = preflight.prometheus_problems({"url": url})
    assert problem.startswith(f"Prometheus {url}: ")


def test_a_prometheus_that_responds_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(PrometheusClient, "instant", lambda _client, query, *_more: sent.append(query))
    assert preflight.prometheus_problems({"url": "http://127.0.0.1:9"}) == []
    assert sent == ["vector(1)"]
