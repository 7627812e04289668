# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restored run: complete, from the first sink that has it, and without overwriting anything."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import manifest
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.directory import DirectorySink
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.restoration import restore
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import SinkError
from fakes.run_factory import write_bare_run

SCHEMAS = Path(__file__).resolve().parents[5] / "files" / "schemas"


@pytest.fixture(name="bring")
def fixture_bring(tmp_path, sink):
    def bring(wanted="run-1", *sinks):
        return restore(wanted, tmp_path / "back", sinks or (sink,), SCHEMAS)

    return bring


@pytest.mark.parametrize("wanted", ["run-1", "latest"])
def test_a_run_comes_back(run, send, bring, shelf, tmp_path, wanted):
    send()
    found = bring(wanted)
    assert found == {
        "found": True,
        "run_id": "run-1",
        "directory": str(tmp_path / "back/run-1"),
        "sink": "shelf",
        "location": str(shelf / "perf/run-1"),
        "restored": 6,
        "unchanged": 0,
        "warnings": [],
    }
    for path in (path for path in (tmp_path / "back/run-1").rglob("*") if path.is_file()):
        assert path.read_bytes() == (run / path.relative_to(tmp_path / "back/run-1")).read_bytes()
    assert (bring(wanted)["restored"], bring(wanted)["unchanged"]) == (0, 6)


def test_the_records_alone_come_back(send, sink, tmp_path):
    send()
    found = restore("run-1", tmp_path / "back", [sink], SCHEMAS, ["run.json", "cells/*/cell.json"])
    assert {path.name for path in (tmp_path / "back").rglob("*") if path.is_file()} == {"run.json", "cell.json"}
    assert found["restored"] == 2


@pytest.mark.parametrize("wanted", ["run-2", "latest"])
def test_what_no_sink_has_is_not_found(bring, wanted):
    assert bring(wanted)["found"] is False


def test_the_next_sink_is_tried(run, send, sink, bring, tmp_path):
    send()
    first = DirectorySink("empty", str(tmp_path))
    absent = DirectorySink("mount", str(tmp_path / "nowhere"))
    found = bring("run-1", absent, first, sink)
    assert found["sink"] == "shelf"
    assert [warning.split(":")[0] for warning in found["warnings"]] == ["Sink mount (directory)"]


def test_a_sink_that_cannot_be_read_may_have_the_run(bring, tmp_path):
    with pytest.raises(SinkError, match="does not exist"):
        bring("run-1", DirectorySink("mount", str(tmp_path / "nowhere")))


def test_a_cut_publication_comes_back(run, send, bring, sink, shelf, tmp_path, monkeypatch):
    """Some files are new, some old, and the manifest is the old one."""
    send()
    write_bare_run(run, more=2)
    (run / "cells/t2-c4-r1").mkdir()
    (run / "cells/t2-c4-r1/cell.json").write_text("{}")
    real = DirectorySink.put
    monkeypatch.setattr(DirectorySink, "put", lambda self, key, data: real(self, key, data) if not key.endswith("/manifest.json") else cut(self))

    def cut(sink):
        raise sink.error("was cut.")

    assert send()["problems"]
    (shelf / "perf/run-1/cells/t2-c4-r1/cell.json").unlink()
    assert bring()["restored"] == 6
    assert "more" in json.loads((tmp_path / "back/run-1/run.json").read_text())


def test_a_local_file_that_differs_is_not_overwritten(run, send, bring, tmp_path):
    send()
    (tmp_path / "back/run-1").mkdir(parents=True)
    (tmp_path / "back/run-1/run.json").write_text("mine")
    with pytest.raises(SinkError, match=r"run\.json: exists and differs from the published one"):
        bring()
    assert (tmp_path / "back/run-1/run.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(lambda shelf: (shelf / "target.json").write_text("damaged"), "target.json: its checksum differs from the manifest", id="damaged"),
        pytest.param(lambda shelf: (shelf / "target.json").unlink(), "target.json: missing, although the manifest lists it", id="missing"),
    ],
)
def test_damage_is_named(run, send, bring, shelf, tmp_path, spoil, words):
    send()
    spoil(shelf / "perf/run-1")
    with pytest.raises(SinkError, match=words):
        bring()
    assert not (tmp_path / "back/run-1/target.json").exists()
    assert not list((tmp_path / "back").rglob(".*"))


def test_a_manifest_that_leads_elsewhere_is_an_error(run, send, bring, sink, tmp_path):
    send()
    files = {"../../escaped": {"sha256": "0" * 64, "bytes": 1}}
    sink.put("run-1/manifest.json", manifest.encoded(manifest.document("run-1", files)))
    with pytest.raises(SinkError, match="leaves the run"):
        bring()
    assert not (tmp_path / "escaped").exists()


def test_a_manifest_whose_digest_does_not_fit_is_an_error(run, send, bring, sink):
    send()
    document = {**manifest.document("run-1", {}), "digest": "0" * 64}
    sink.put("run-1/manifest.json", manifest.encoded(document))
    with pytest.raises(SinkError, match="its digest does not match"):
        bring()


def test_a_latest_that_leads_elsewhere_is_an_error(bring, sink):
    sink.put("latest", b"../../etc")
    with pytest.raises(SinkError, match="file latest: no run id in it"):
        bring("latest")


def test_nothing_is_left_of_a_shelf_that_is_gone(run, send, bring, shelf):
    send()
    shutil.rmtree(shelf)
    with pytest.raises(SinkError, match="does not exist"):
        bring()
