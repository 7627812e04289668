# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks for a run of another job that failed early: what is left of it is published, and only the verdict is a failure."""

from __future__ import annotations

import pytest


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
