# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Atomic files: errors of the file system, content that is no JSON."""

from __future__ import annotations

import errno
import os

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import files


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    files.write_json(path, {"a": 1})

    def full(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(files.FileWriteError, match=r"the disk is full\. Free space there"):
        files.write_json(path, {"a": 2})
    assert files.read_json(path) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


@pytest.fixture(name="umask")
def fixture_umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(("umask_bits", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o027, 0o640), (0o002, 0o664)])
def test_new_files_follow_the_umask_and_secrets_do_not(tmp_path, umask, umask_bits, mode):
    umask(umask_bits)
    files.write_json(tmp_path / "run.json", {})
    files.write_text(tmp_path / "token", "secret", mode=0o600)
    assert (tmp_path / "run.json").stat().st_mode & 0o777 == mode
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    files.write_text(tmp_path / "state" / "token", "secret", mode=0o600)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_secret_is_private_before_it_is_written(tmp_path, umask):
    umask(0)
    seen = []

    def write(stream):
        seen.append(os.fstat(stream.fileno()).st_mode & 0o777)
        stream.write(b"secret")

    files.write_atomic(tmp_path / "token", write, 0o600)
    assert seen == [0o600]


def test_not_a_number_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("text", "sentence"), [(None, "cannot be read"), ("{", "is not valid JSON")])
def test_reading_names_the_file(tmp_path, text, sentence):
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=sentence):
        files.read_json(path)
