# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks for a run of another job: one that failed early is published and only its verdict is a failure; one with gaps never passes."""

from __future__ import annotations

import shutil

import pytest

from fakes.record_damage import write_finished_run


@pytest.fixture(name="suite", scope="module")
def fixture_suite(suite_in):
    return suite_in("runs-elsewhere")


def play(suite, playbook, run_id):
    sinks = [{"name": "shared", "kind": "directory", "path": str(suite.directory / "sink")}]
    finished = suite.play(playbook, {"run_id": run_id, "publish_sinks": sinks})
    return finished.returncode, " ".join(finished.stdout.split())


@pytest.mark.parametrize("playbook", ["publish", "report_again"])
def test_a_run_that_does_not_exist_is_rejected(suite, playbook):
    (suite.directory / "sink").mkdir(exist_ok=True)
    code, output = play(suite, playbook, "nowhere")
    assert code == 2
    assert f"Run nowhere: is neither in {suite.results} nor in any of the 1 sinks (publish_sinks)." in output
    assert not (suite.results / "nowhere").exists()
    assert not (suite.directory / "sink" / "nowhere").exists()


def test_of_a_run_without_a_cell_only_the_verdict_fails(suite):
    found = suite.results / "early" / "diagnosis" / "opendatahub_pod.yml"
    found.parent.mkdir(parents=True)
    found.write_text("[]\n", encoding="utf-8")
    code, output = play(suite, "report_again", "early")
    assert (code, "Run early: has no run.json, so no cell of it was begun and there is nothing to report." in output) == (0, True)
    assert (suite.directory / "sink" / "early" / "diagnosis" / found.name).read_text(encoding="utf-8") == "[]\n"
    code, output = play(suite, "verdict", "early")
    assert (code, "Run early: has no run.json, so no cell of it was begun." in output) == (2, True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("cell.json", "cell.json: cannot be read (No such file or directory).", id="a record that is gone"),
        pytest.param("samples.csv.gz", "samples.csv.gz: changed since it was recorded", id="damaged samples"),
    ],
)
def test_a_finished_run_with_a_gap_passes_no_more(suite, name, words):
    run = write_finished_run(suite.results / "finished")
    assert [play(suite, playbook, "finished")[0] for playbook in ("verdict", "publish")] == [0, 0]
    path = run.cell_directory("t1-c5-r1") / name
    content = path.read_bytes()
    if name == "cell.json":
        path.unlink()
    else:
        path.write_bytes(content[:-1])
    for playbook in ("verdict", "publish"):
        code, output = play(suite, playbook, "finished")
        assert (code, words in output) == (2, True)
    copy = suite.directory / "sink" / "finished" / "cells" / "t1-c5-r1" / name
    assert copy.read_bytes() == content
    shutil.rmtree(run.directory)
