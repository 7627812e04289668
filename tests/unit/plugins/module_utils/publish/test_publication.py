# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent and what is not, in which order, and what becomes of a publication that something is in the way of."""

from __future__ import annotations

import json
import shutil

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import manifest, publication
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.directory import DirectorySink
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import FileChangedError, SinkError
from fakes.run_factory import write_bare_run

SENT = ["cells/t1-c4-r1/k6.log", "cells/t1-c4-r1/state.json", "report/summary.md", "target.json", "cells/t1-c4-r1/cell.json", "run.json"]


@pytest.fixture(autouse=True)
def fixture_no_pause(monkeypatch):
    monkeypatch.setattr(publication, "PAUSE_S", 0)


def outcome(result):
    return {key: result["sinks"][0][key] for key in ("status", "sent", "unchanged")}


def test_a_run_is_sent_whole(run, shelf, send):
    result = send()
    assert result["problems"] == []
    assert (result["run_id"], result["files"]) == ("run-1", 6)
    entry = result["sinks"][0]
    assert (entry["name"], entry["kind"], entry["location"]) == ("shelf", "directory", str(shelf / "perf" / "run-1"))
    assert (entry["status"], entry["sent"], entry["verified"]) == ("ok", 6, {"read back": 6})
    found = {path.relative_to(shelf / "perf").as_posix() for path in shelf.rglob("*") if path.is_file()}
    assert found == {f"run-1/{path}" for path in SENT} | {"run-1/manifest.json", "latest"}
    assert all((shelf / "perf/run-1" / path).read_bytes() == (run / path).read_bytes() for path in SENT)
    assert (shelf / "perf/latest").read_text() == "run-1\n"


def test_records_come_after_the_files_that_they_name(run, sink, send, monkeypatch):
    order = []
    monkeypatch.setattr(DirectorySink, "send", lambda self, run_id, uploads: order.extend(upload.path for upload in uploads) or [])
    send()
    assert order == SENT


def test_only_what_changed_is_sent(run, send):
    send()
    assert outcome(send()) == {"status": "ok", "sent": 0, "unchanged": 6}
    (run / "cells/t1-c4-r1/k6.log").write_text("another line\n")
    assert outcome(send()) == {"status": "ok", "sent": 1, "unchanged": 5}
    # A controller that has lost its memory sends no more.
    (run / ".publish.json").unlink()
    assert outcome(send()) == {"status": "ok", "sent": 0, "unchanged": 6}


def test_a_part_leaves_the_rest_as_it_is(run, shelf, send):
    send()
    write_bare_run(run, more=1)
    (run / "report/summary.md").write_text("changed")
    assert outcome(send(only=["run.json", "cells/*/state.json"])) == {"status": "ok", "sent": 1, "unchanged": 1}
    assert sorted(json.loads((shelf / "perf/run-1/manifest.json").read_text())["files"]) == sorted(SENT)
    assert (shelf / "perf/run-1/report/summary.md").read_text() == "# Summary\n"


def test_what_is_gone_leaves_the_manifest(run, shelf, send):
    send()
    shutil.rmtree(run / "report")
    send()
    assert "report/summary.md" not in json.loads((shelf / "perf/run-1/manifest.json").read_text())["files"]


def test_the_coming_manifest_is_there_before_anything_is_replaced(run, shelf, send, monkeypatch):
    send()
    (run / "cells/t1-c4-r1/k6.log").write_text("[]")

    def cut(self, run_id, uploads):
        pending = json.loads((shelf / "perf/run-1/manifest.pending.json").read_text())
        assert pending["files"]["cells/t1-c4-r1/k6.log"]["bytes"] == 2
        raise SinkError("cut")

    monkeypatch.setattr(DirectorySink, "send", cut)
    assert outcome(send())["status"] == "failed"


def test_a_secret_stops_everything_and_is_not_shown(run, shelf, send):
    (run / "cells/t1-c4-r1/k6.log").write_text("token hunter2-hunter2")
    result = send(inspect=lambda path: "a token (line 1)" if b"hunter2" in path.read_bytes() else None)
    assert [entry["status"] for entry in result["sinks"]] == ["stopped"]
    assert result["problems"] == [f"File {run}/cells/t1-c4-r1/k6.log: a token (line 1) in it. Nothing was sent. Remove it there, then publish again."]
    assert "hunter2" not in json.dumps(result)
    assert list(shelf.iterdir()) == []
    # It is found again as long as it is there.
    assert send(inspect=lambda path: "a token" if b"hunter2" in path.read_bytes() else None)["problems"]


def test_a_clean_file_is_scanned_once(run, send):
    seen = []
    send(inspect=lambda path: seen.append(path.name))
    send(inspect=lambda path: seen.append(path.name))
    assert len(seen) == 6


def test_a_sink_that_fails_does_not_affect_the_others(run, sink, shelf, send):
    absent = DirectorySink("mount", str(shelf / "nowhere"))
    result = send(absent, sink)
    assert [entry["status"] for entry in result["sinks"]] == ["failed", "ok"]
    assert result["problems"] == [
        f"Sink mount (directory): directory {shelf}/nowhere: does not exist. Mount or create it, or set create: true. The local copy {run} is complete."
    ]


def test_a_file_that_is_being_written_is_sent_as_it_becomes(run, shelf, send, monkeypatch):
    real = DirectorySink.send
    changes = iter(["second"])

    def send_late(self, run_id, uploads):
        for text in changes:
            (run / "cells/t1-c4-r1/k6.log").write_text(text)
        return real(self, run_id, uploads)

    monkeypatch.setattr(DirectorySink, "send", send_late)
    assert send()["problems"] == []
    assert (shelf / "perf/run-1/cells/t1-c4-r1/k6.log").read_text() == "second"


def test_a_file_that_never_rests_is_named(run, send, monkeypatch):
    def restless(self, run_id, uploads):
        raise FileChangedError("target.json")

    monkeypatch.setattr(DirectorySink, "send", restless)
    result = send()
    assert result["problems"] == [f"File {run}/target.json: changed while it was published, 3 times. Publish the run again when nothing writes into it."]
    assert outcome(result)["status"] == "stopped"


@pytest.mark.parametrize(
    ("named", "started", "expected"),
    [
        pytest.param("", None, "run-1", id="none yet"),
        pytest.param("run-0", 999.0, "run-1", id="an older run"),
        pytest.param("run-2", 1001.0, "run-2", id="a run that began later"),
        pytest.param("run-0", None, "run-1", id="a run that is not there"),
        pytest.param("../x", None, "run-1", id="a name that leads elsewhere"),
    ],
)
def test_latest_names_the_run_that_began_last(run, sink, shelf, send, named, started, expected):
    if named:
        sink.put("latest", named.encode())
    if started:
        sink.put(f"{named}/run.json", json.dumps({"started": started}).encode())
    send()
    assert (shelf / "perf/latest").read_text().strip() == expected


def test_a_damaged_manifest_is_an_error(run, sink, send):
    sink.put("run-1/manifest.json", b"not json")
    assert "manifest.json: damaged or not a manifest" in send()["problems"][0]


def test_reach_names_what_cannot_take_a_run(sink, shelf):
    absent = DirectorySink("mount", str(shelf / "nowhere"))
    assert publication.check_access([sink]) == []
    assert len(publication.check_access([sink, absent])) == 1


def test_a_run_without_a_record_began_now(run, sink, shelf, send):
    (run / "run.json").unlink()
    (run / "cells/t1-c4-r1/cell.json").unlink()
    sink.put("latest", b"run-0")
    sink.put("run-0/run.json", b"broken too")
    send()
    assert (shelf / "perf/latest").read_text() == "run-1\n"


@pytest.mark.parametrize("content", ["broken", None])
def test_nothing_replaces_an_intact_copy_when_the_record_of_the_run_is_damaged(run, shelf, send, content):
    send()
    before = {path: path.read_bytes() for path in shelf.rglob("*") if path.is_file()}
    (run / "run.json").unlink()
    if content:
        (run / "run.json").write_text(content)
    (run / "report/summary.md").write_text("changed")
    result = send()
    assert f"File {run}/run.json: " in result["problems"][0]
    assert result["problems"][0].endswith("Nothing was sent.")
    assert {path: path.read_bytes() for path in shelf.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../b", "a//b", "", ".hidden", "a/.b", "a\\b", "./a", "a\0b"])
def test_odd_paths_are_not_safe(path):
    assert not manifest.is_safe(path)


@pytest.mark.parametrize("path", ["run.json", "cells/t1-c4-r1/cell.json", "report/chart_x.png"])
def test_plain_paths_are_safe(path):
    assert manifest.is_safe(path)


def test_the_log_of_ansible_is_not_published(tmp_path):
    for name in ("run.json", "ansible.log", "cells/t1/k6.log", "diagnosis/ansible.log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}", encoding="utf-8")
    uploads, findings = publication.RunFiles(tmp_path).uploads([], [], lambda _path: None)
    assert [upload.path for upload in uploads] == ["cells/t1/k6.log", "diagnosis/ansible.log", "run.json"]
    assert findings == {}
    assert publication.RunFiles(tmp_path).uploads(["ansible.log"], [], lambda _path: None) == ([], {})
