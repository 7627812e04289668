# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of unpacked Debian packages, with an apt-get and a dpkg-deb that only pretend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import debian
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError

UNPACK = '/bin/mkdir -p "$3/usr/bin"; echo "#!/bin/sh" > "$3/usr/bin/prometheus"'
DOWNLOAD = 'echo deb > prometheus_1_amd64.deb'
# Knows no package until `update` was called with lists of our own.
NO_LISTS = """
    case "$*" in
        *update) echo "$@" > {log};;
        *Dir::State=*download*) echo deb > prometheus_1_amd64.deb;;
        *) echo "E: Unable to locate package prometheus"; exit 100;;
    esac
"""


def test_without_apt_nothing_is_available(only_these: Callable[..., Path]) -> None:
    assert not debian.available()
    only_these("apt-get", "exit 0")
    assert not debian.available()
    only_these("dpkg-deb", "exit 0")
    assert debian.available()


def test_a_package_is_unpacked_once(only_these: Callable[..., Path], tmp_path: Path) -> None:
    only_these("apt-get", DOWNLOAD)
    only_these("dpkg-deb", UNPACK)
    assert debian.cached(tmp_path / "cache", "prometheus") is None
    directory, is_new = debian.ensure(tmp_path / "cache", "prometheus")
    assert is_new
    assert (directory / "usr/bin/prometheus").exists()
    only_these("apt-get", "exit 1")
    assert debian.ensure(tmp_path / "cache", "prometheus") == (directory, False)
    assert debian.cached(tmp_path / "cache", "prometheus") == directory
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["deb-prometheus", "deb-prometheus.lock"]


def test_missing_lists_are_fetched_without_touching_the_system(only_these: Callable[..., Path], tmp_path: Path) -> None:
    only_these("apt-get", NO_LISTS.format(log=tmp_path / "update.log"))
    only_these("dpkg-deb", UNPACK)
    assert debian.ensure(tmp_path / "cache", "prometheus")[1]
    asked = (tmp_path / "update.log").read_text()
    assert f"Dir::State={tmp_path}/cache/apt/state" in asked
    assert f"Dir::Cache={tmp_path}/cache/apt/cache" in asked


def test_an_unknown_package_is_a_sentence(only_these: Callable[..., Path], tmp_path: Path) -> None:
    only_these("apt-get", "echo 'E: Unable to locate package prometheus'; exit 100")
    only_these("dpkg-deb", UNPACK)
    with pytest.raises(ToolError, match=r"Package prometheus: .*Unable to locate package prometheus.*put it on PATH"):
        debian.ensure(tmp_path / "cache", "prometheus")


def test_a_download_without_a_file_is_a_sentence(only_these: Callable[..., Path], tmp_path: Path) -> None:
    only_these("apt-get", "exit 0")
    only_these("dpkg-deb", UNPACK)
    with pytest.raises(ToolError, match="Package prometheus: apt-get brought no file"):
        debian.ensure(tmp_path / "cache", "prometheus")
