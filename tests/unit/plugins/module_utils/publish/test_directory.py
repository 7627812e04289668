# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory as a sink: a mount that is missing, is full or is the run itself."""

from __future__ import annotations

import errno

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import file_digest
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import directory
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.directory import DirectorySink
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import FileChangedError, SinkError, Upload


def upload(path):
    return Upload(path.name, path, **file_digest(path))


def test_a_directory_is_created_only_on_request(tmp_path):
    with pytest.raises(SinkError, match=r"does not exist\. Mount or create it, or set create: true"):
        DirectorySink("x", str(tmp_path / "new")).open()
    DirectorySink("x", str(tmp_path / "new"), create=True).open()
    assert (tmp_path / "new").is_dir()


def test_a_directory_that_cannot_be_created_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"directory .*/file/new: cannot be created \(Not a directory\)"):
        DirectorySink("x", str(tmp_path / "file/new"), create=True).open()


def test_the_run_itself_is_no_sink(run, tmp_path):
    with pytest.raises(SinkError, match=r"is the run's own\. Choose a directory apart from the results"):
        DirectorySink("x", str(tmp_path / "results")).send("run-1", [upload(run / "run.json")])


def test_a_full_disk_is_one_sentence_and_leaves_no_part(run, sink, shelf, monkeypatch):
    def fill_up(source, stream, size):
        stream.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(directory.shutil, "copyfileobj", fill_up)
    with pytest.raises(SinkError, match=r"Sink shelf \(directory\): File .*run.json: the disk is full\. Free space there"):
        sink.send("run-1", [upload(run / "run.json")])
    assert [path for path in shelf.rglob("*") if path.is_file()] == []


def test_what_the_file_system_spoils_is_noticed(run, sink, monkeypatch):
    monkeypatch.setattr(directory.shutil, "copyfileobj", lambda source, stream, size: stream.write(b"spoilt"))
    with pytest.raises(SinkError, match="its checksum differs from what was written"):
        sink.send("run-1", [upload(run / "run.json")])


@pytest.mark.parametrize("change", [lambda path: path.write_text("other"), lambda path: path.unlink()], ids=["written", "gone"])
def test_a_file_that_changes_meanwhile_is_reported(run, sink, change):
    stale = upload(run / "run.json")
    change(run / "run.json")
    with pytest.raises(FileChangedError, match=r"run\.json"):
        sink.send("run-1", [stale])
    with pytest.raises(FileChangedError, match=r"run\.json"):
        stale.read()


@pytest.mark.parametrize("ask", [lambda sink, to: sink.get("run-1"), lambda sink, to: sink.fetch("run-1", to)], ids=["get", "fetch"])
def test_what_cannot_be_read_is_an_error(sink, shelf, tmp_path, ask):
    (shelf / "perf/run-1").mkdir(parents=True)
    with pytest.raises(SinkError, match="Is a directory"):
        ask(sink, tmp_path / "x")


def test_what_is_not_there_is_none(sink, tmp_path):
    assert sink.get("run-1/x") is None
    assert not sink.fetch("run-1/x", tmp_path / "x")


def test_a_small_file_that_cannot_be_written_is_an_error(shelf):
    (shelf / "perf").write_text("in the way")
    with pytest.raises(SinkError, match="Sink shelf"):
        DirectorySink("shelf", str(shelf), prefix="perf").put("latest", b"x")


def test_an_error_of_a_sink_has_no_user_information(tmp_path):
    error = DirectorySink("mount", str(tmp_path)).error("proxy http://me:pass-w0rd@proxy:3128: not reachable. Correct it.")
    assert str(error) == "Sink mount (directory): proxy http://***@proxy:3128: not reachable. Correct it."
