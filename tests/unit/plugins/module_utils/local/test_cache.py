# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the cache of tools, with an apt-get, a dpkg-deb and a uv that only pretend."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError

UNPACK = '/bin/mkdir -p "$3/usr/bin"; echo "#!/bin/sh" > "$3/usr/bin/prometheus"'
DOWNLOAD = 'echo deb > prometheus_1_amd64.deb'
# Finds no package until `update` was called with our own lists.
NO_LISTS = """
    case "$*" in
        *update) echo "$@" > {log};;
        *Dir::State=*download*) echo deb > prometheus_1_amd64.deb;;
        *) echo "E: Unable to locate package prometheus"; exit 100;;
    esac
"""
NOTE = 'echo "$@" >> "{log}"'


def test_the_default_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.default_directory() == tmp_path / "perfscale.mlflow"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.default_directory() == tmp_path / ".cache" / "perfscale.mlflow"


def test_an_entry_is_built_once(tmp_path: Path) -> None:
    builds: list[Path] = []
    assert cache.complete(tmp_path, "a") is None
    assert cache.entry(tmp_path, "a", builds.append) == (tmp_path / "a", True)
    assert cache.entry(tmp_path, "a", builds.append) == (tmp_path / "a", False)
    assert builds == [tmp_path / "a"]
    assert cache.complete(tmp_path, "a") == tmp_path / "a"


def test_an_interrupted_build_is_deleted(tmp_path: Path) -> None:
    def half(target: Path) -> None:
        (target / "half").touch()
        raise ToolError("interrupted")

    with pytest.raises(ToolError, match="interrupted"):
        cache.entry(tmp_path, "a", half)
    assert cache.complete(tmp_path, "a") is None
    directory, is_new = cache.entry(tmp_path, "a", lambda target: (target / "whole").touch())
    assert is_new
    assert sorted(path.name for path in directory.iterdir()) == [".complete", "whole"]


def test_two_suites_build_one_entry(tmp_path: Path) -> None:
    builds: list[Path] = []

    def slow(target: Path) -> None:
        builds.append(target)
        time.sleep(0.2)

    threads = [threading.Thread(target=cache.entry, args=(tmp_path, "a", slow)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(builds) == 1


def test_a_lock_that_another_process_keeps_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LOCK_LIMIT_S", 0.2)
    message = r"File .*/a\.lock: locked by another process for more than 0\.2 s\. End the run that still builds there\."
    with cache.locked(tmp_path / "a.lock"), pytest.raises(ToolError, match=message):
        cache.entry(tmp_path, "a", lambda _target: None)


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    def fail(_target: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ToolError, match=r"Cache .*/a: not writable \(No space left on device\)"):
        cache.entry(tmp_path, "a", fail)


def test_a_directory_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolError, match=r"Directory .*/file: not writable"), cache.locked(tmp_path / "file" / "lock"):
        pass


def test_keys_differ_with_every_part() -> None:
    assert cache.key_of("a", "b") == cache.key_of("a", "b") != cache.key_of("ab")
    assert len(cache.key_of("a")) == 12


def test_without_apt_nothing_is_available(only_these: Callable[..., Path]) -> None:
    assert not cache.can_unpack_debian()
    only_these("apt-get", "exit 0")
    assert not cache.can_unpack_debian()
    only_these("dpkg-deb", "exit 0")
    assert cache.can_unpack_debian()


def test_a_package_is_unpacked_once(only_these: Callable[..., Path], tmp_path: Path) -> None:
    only_these("apt-get", DOWNLOAD)
    only_these("dpkg-deb", UNPACK)
    assert cache.debian_package(tmp_path / "cache", "prometheus") is None
    directory, is_new = cache.ensure_debian_package(tmp_path / "cache", "prometheus")
    assert is_new
    assert (directory / "usr/bin/prometheus").exists()
    only_these("apt-get", "exit 1")
    assert cache.ensure_debian_package(tmp_path / "cache", "prometheus") == (directory, False)
    assert cache.debian_package(tmp_path / "cache", "prometheus") == directory
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["deb-prometheus", "deb-prometheus.lock"]


def test_missing_lists_are_fetched_without_touching_the_system(only_these: Callable[..., Path], tmp_path: Path) -> None:
    only_these("apt-get", NO_LISTS.format(log=tmp_path / "update.log"))
    only_these("dpkg-deb", UNPACK)
    assert cache.ensure_debian_package(tmp_path / "cache", "prometheus")[1]
    options = (tmp_path / "update.log").read_text()
    assert f"Dir::State={tmp_path}/cache/apt/state" in options
    assert f"Dir::Cache={tmp_path}/cache/apt/cache" in options


def test_an_unknown_package_is_one_sentence(only_these: Callable[..., Path], tmp_path: Path) -> None:
    only_these("apt-get", "echo 'E: Unable to locate package prometheus'; exit 100")
    only_these("dpkg-deb", UNPACK)
    with pytest.raises(ToolError, match=r"Package prometheus: .*Unable to locate package prometheus.*put it on PATH"):
        cache.ensure_debian_package(tmp_path / "cache", "prometheus")


def test_a_download_without_a_file_is_a_sentence(only_these: Callable[..., Path], tmp_path: Path) -> None:
    only_these("apt-get", "exit 0")
    only_these("dpkg-deb", UNPACK)
    with pytest.raises(ToolError, match="Package prometheus: apt-get downloaded no file"):
        cache.ensure_debian_package(tmp_path / "cache", "prometheus")


@pytest.fixture
def uv(program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A uv beside the interpreter; returns the file of its notes."""
    log = tmp_path / "uv.log"
    path = program("uv", NOTE.format(log=log))
    monkeypatch.setattr(cache, "beside_interpreter", lambda _name: str(path))
    return log


def test_an_environment_is_built_with_uv_once(uv: Path, tmp_path: Path) -> None:
    directory, is_new = cache.ensure_environment(tmp_path / "cache", "mlflow", "# comment\nmlflow>=3.17\n\n")
    assert is_new
    assert (directory / "requirements.txt").read_text() == "mlflow>=3.17\n"
    notes = uv.read_text().splitlines()
    assert [note.split()[0] for note in notes] == ["venv", "pip"]
    assert cache.ensure_environment(tmp_path / "cache", "mlflow", "mlflow>=3.17") == (directory, False)
    assert uv.read_text().splitlines() == notes


def test_other_requirements_result_in_another_environment(uv: Path, tmp_path: Path) -> None:
    first, _new = cache.ensure_environment(tmp_path, "mlflow", "mlflow==3.17.1")
    second, is_new = cache.ensure_environment(tmp_path, "mlflow", "mlflow==3.17.2")
    assert is_new
    assert first != second
    assert uv.exists()


def test_without_uv_pip_fetches_it_first(program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    # A Python whose `-m venv TARGET` creates a pip and a uv that record their arguments.
    body = f"""
        echo "python $@" >> {log}
        if [ "$2" = venv ]; then
            mkdir -p "$3/bin"
            printf '#!/bin/sh\\necho "inner $@" >> {log}\\n' > "$3/bin/python"
            printf '#!/bin/sh\\necho "uv $@" >> {log}\\n' > "$3/bin/uv"
            chmod +x "$3/bin/python" "$3/bin/uv"
        fi
    """
    python = program("python", body)
    monkeypatch.setattr(cache.sys, "executable", str(python))
    monkeypatch.setattr(cache.shutil, "which", lambda *_args, **_more: None)
    cache.ensure_environment(tmp_path / "cache", "mlflow", "mlflow")
    assert [line.split()[:3] for line in log.read_text().splitlines()] == [["python", "-m", "venv"], ["inner", "-m", "pip"], ["uv", "pip", "install"]]


def test_a_program_beside_the_interpreter(program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = program("k6", "exit 0")
    monkeypatch.setattr(cache.sys, "executable", str(path.with_name("python")))
    assert cache.beside_interpreter("k6") == str(path)
    assert cache.beside_interpreter("nothing") is None


@pytest.mark.parametrize("home", ["/", "", "/nowhere/at/all"], ids=["root", "no-home-and-no-account", "not-there"])
def test_a_user_without_a_home_has_a_cache_among_the_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path))
    # What expanduser makes of ~ without HOME and without an entry in passwd.
    monkeypatch.setattr(cache.os.path, "expanduser", lambda _path: home or "~")
    monkeypatch.setattr(cache.os, "access", lambda path, _mode: Path(path).is_dir())
    directory = cache.default_directory()
    assert directory == tmp_path / f"{cache.NAME}-{cache.os.getuid()}"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert cache.default_directory() == directory
    directory.rmdir()
    directory.symlink_to(tmp_path)
    with pytest.raises(ToolError, match="belongs to another user"):
        cache.default_directory()
