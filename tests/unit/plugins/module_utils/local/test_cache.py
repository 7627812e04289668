# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the cache of tools."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError


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


def test_a_cut_off_build_is_thrown_away(tmp_path: Path) -> None:
    def half(target: Path) -> None:
        (target / "half").touch()
        raise ToolError("cut off")

    with pytest.raises(ToolError, match="cut off"):
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


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    def fail(_target: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ToolError, match=r"Cache .*/a: cannot be written \(No space left on device\)"):
        cache.entry(tmp_path, "a", fail)


def test_a_directory_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolError, match=r"Directory .*/file: cannot be written"), cache.locked(tmp_path / "file" / "lock"):
        pass


def test_keys_differ_with_every_part() -> None:
    assert cache.key_of("a", "b") == cache.key_of("a", "b") != cache.key_of("ab")
    assert len(cache.key_of("a")) == 12
