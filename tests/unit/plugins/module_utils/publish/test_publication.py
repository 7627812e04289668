# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent and what is not, in which order, and what becomes of a publication that something is in the way of."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import manifest, publication
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.directory import DirectorySink
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import Finding, Scanner
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import FileChangedError, SinkError
from fakes.run_factory import write_bare_run

SENT = ["cells/t1-c4-r1/k6.log", "cells/t1-c4-r1/state.json", "report/summary.md", "target.json", "cells/t1-c4-r1/cell.json", "run.json"]


class FakeScanner:
    """Finds what a function says; its rules are a text."""

    def __init__(self, find=lambda path: [], rules="rules"):
        self._find, self.rules, self.scanned = find, rules, []

    def findings(self, path, name):
        assert str(path).endswith(name)
        self.scanned.append(name)
        return self._find(path)

    def digest(self, key):
        return f"{len(key)} {self.rules}"


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


LOG = "cells/t1-c4-r1/k6.log"


def test_a_secret_stops_everything_and_is_not_shown(run, shelf, send):
    (run / LOG).write_text("one\npassword: hunter2-hunter2\n")
    result = send(scanner=Scanner())
    assert [entry["status"] for entry in result["sinks"]] == ["stopped"]
    assert result["problems"] == [
        f"File {run}/{LOG}: a password in a field (line 2) in it. Nothing was sent. Remove it there, then publish again; "
        f"if it is no secret, add {{path: {LOG}, kind: a password in a field}} to publish_allowed_findings."
    ]
    assert "hunter2" not in json.dumps(result)
    assert list(shelf.iterdir()) == []
    # It is found again as long as it is there, unless it is allowed, which a secret of the run cannot be.
    assert send(scanner=Scanner())["problems"]
    allowed = [{"path": LOG, "kind": "a password in a field"}]
    known = send(scanner=Scanner(["hunter2-hunter2"], allowed))
    assert known["problems"] == [f"File {run}/{LOG}: a secret of this run (line 2) in it. Nothing was sent. Remove it there, then publish again."]
    assert send(scanner=Scanner(allowed=allowed))["problems"] == []
    assert (shelf / "perf/run-1" / LOG).exists()


def test_further_findings_of_a_file_are_counted(send):
    result = send(scanner=FakeScanner(lambda path: [Finding("a cookie", 1), Finding("a cookie", 2)] if path.name == "k6.log" else []))
    assert "k6.log: a cookie (line 1) in it and 1 more. Nothing was sent." in result["problems"][0]


def test_a_clean_file_is_scanned_once(run, send):
    scanner = FakeScanner()
    send(scanner=scanner)
    assert len(scanner.scanned) == 6
    send(scanner=scanner)
    assert len(scanner.scanned) == 6
    (run / LOG).write_text("all is different\n")
    send(scanner=scanner)
    assert scanner.scanned[6:] == [LOG]


def test_clean_holds_for_the_same_rules_and_secrets_only(send):
    send(scanner=FakeScanner(rules="others"))
    scanner = FakeScanner()
    send(scanner=scanner)
    assert len(scanner.scanned) == 6


def test_a_file_changed_with_the_same_size_and_time_is_scanned_again(run, send):
    send(scanner=FakeScanner())
    stat = (run / LOG).stat()
    (run / LOG).write_bytes(b"X" * stat.st_size)
    os.utime(run / LOG, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    scanner = FakeScanner()
    send(scanner=scanner)
    assert scanner.scanned == [LOG]


def test_a_file_that_changes_while_it_is_scanned_is_not_taken_for_clean(run, shelf, send):
    def replace(path):
        if path.name == "k6.log" and path.read_text() == "all is well\n":
            path.write_text("password: hunter2-hunter2\n")
            return []
        return Scanner().findings(path)

    assert "a password in a field (line 1)" in send(scanner=FakeScanner(replace))["problems"][0]
    assert list(shelf.iterdir()) == []


def test_the_memory_is_private_and_holds_no_secret(run, send):
    send(scanner=Scanner(["hunter2-hunter2"]))
    memory = run / ".publish.json"
    assert memory.stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in memory.read_text()


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
    uploads, findings = publication.RunFiles(tmp_path).uploads([], [], FakeScanner())
    assert [upload.path for upload in uploads] == ["cells/t1/k6.log", "diagnosis/ansible.log", "run.json"]
    assert findings == {}
    assert publication.RunFiles(tmp_path).uploads(["ansible.log"], [], FakeScanner()) == ([], {})
