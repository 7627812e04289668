# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""results/latest whatever lies there already, and where the file system has no symbolic links."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.filter.latest_run_directory import latest_run_directory
from ansible_collections.perfscale.mlflow.plugins.module_utils.record import latest


@pytest.fixture(name="no_links")
def fixture_no_links(monkeypatch):
    """A file system like FAT."""

    def fail(*_arguments, **_options):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "symlink", fail)


BEFORE = [
    pytest.param(lambda path: None, id="nothing"),
    pytest.param(lambda path: path.symlink_to("run-0"), id="a dangling link"),
    pytest.param(lambda path: path.symlink_to("latest"), id="a link to itself"),
    pytest.param(lambda path: path.write_text("run-0\n"), id="a file of a run"),
    pytest.param(lambda path: path.mkdir(), id="an empty directory"),
]


@pytest.mark.parametrize("before", BEFORE)
def test_a_link_replaces_what_is_ours(tmp_path, before):
    before(tmp_path / "latest")
    assert latest.point(tmp_path, "run-1") == ""
    assert os.readlink(tmp_path / "latest") == "run-1"
    assert latest_run_directory(str(tmp_path)) == str(tmp_path / "run-1")


@pytest.mark.usefixtures("no_links")
def test_a_file_names_the_run_where_there_are_no_links(tmp_path):
    for run_id in ("run-1", "run-2"):
        assert latest.point(tmp_path, run_id) == ""
        assert not (tmp_path / "latest").is_symlink()
        assert latest.run_id_of(tmp_path) == run_id
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(lambda path: (path.mkdir(), (path / "mine").touch()), id="a directory with files"),
        pytest.param(lambda path: path.write_text("the latest results are on the wiki"), id="a file of the user"),
        pytest.param(lambda path: path.write_bytes(b"\xff\xfe"), id="a binary file"),
        pytest.param(os.mkfifo, id="a pipe"),
    ],
)
def test_what_is_not_ours_stays_and_is_named(tmp_path, before):
    before(tmp_path / "latest")
    assert latest.point(tmp_path, "run-1").startswith(f"File {tmp_path}/latest: is in the way of the link to the latest run, and stays.")
    assert not (tmp_path / "latest").is_symlink()


def test_left_over_links_do_not_hinder_and_go(tmp_path):
    for age_s, name in ((3600, ".latest.1"), (0, f".latest.{os.getpid()}")):
        (tmp_path / name).symlink_to("run-0")
        os.utime(tmp_path / name, (time.time() - age_s,) * 2, follow_symlinks=False)
    assert latest.point(tmp_path, "run-1") == ""
    # One that is young may be that of a run that starts at this moment.
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".latest.{os.getpid()}", "latest"]


@pytest.mark.parametrize("text", ["../elsewhere", "", "a b", "x" * 64, ".hidden"])
def test_a_file_that_leads_elsewhere_names_no_run(tmp_path, text):
    (tmp_path / "latest").write_text(text)
    assert latest.run_id_of(tmp_path) == ""
    assert latest_run_directory(str(tmp_path)) == str(tmp_path / "latest")


def test_without_latest_there_is_no_run(tmp_path):
    assert latest.run_id_of(tmp_path) == ""
    assert Path(latest_run_directory("~/x")).is_absolute()
