# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of the runs of a results directory."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.report import create_report
from fakes.report_sources import SCHEMAS
from fakes.run_factory import edit_record, write_bare_run, write_run

TEMPLATES = Path(__file__).resolve().parents[5] / "files" / "report"


def report(run):
    return create_report([str(run)], run / "report", ("html",), SCHEMAS, TEMPLATES)


def rows(results):
    """Return the rows of the list as texts without tags."""
    body = (results / "index.html").read_text().partition("<tbody>")[2].partition("</tbody>")[0]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in body.split("</tr>") if row.strip()]


def test_runs_are_listed_the_newest_first_with_verdict_answer_and_link(tmp_path):
    answer = report(write_run(tmp_path / "old"))["answer"]
    new = write_run(tmp_path / "new", errors=0.6)
    edit_record(new / "run.json", started=1795479999.0)
    report(new)
    assert [row.split()[0] for row in rows(tmp_path)] == ["new", "old"]
    assert "Failed" in rows(tmp_path)[0]
    assert rows(tmp_path)[1].endswith(f"made-up, 4 cells Passed {answer}")
    assert 'href="old/report/index.html"' in (tmp_path / "index.html").read_text()


def test_runs_without_report_or_with_a_damaged_one_are_listed_too(tmp_path):
    write_bare_run(tmp_path / "bare")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "run.json").write_text("[1, ")
    report(write_run(tmp_path / "run"))
    listed = {row.split()[0]: row for row in rows(tmp_path)}
    assert set(listed) == {"bare", "damaged", "run"}
    assert listed["bare"].endswith("– no report yet")
    assert listed["damaged"] == "damaged – – – no report yet"


@pytest.mark.parametrize("verdict", ["[]", '{"status": ["passed"], "answer": {"<b>": 1}}', '{"status": "<script>"}'])
def test_a_verdict_of_another_form_is_no_verdict(tmp_path, verdict):
    other = write_run(tmp_path / "other")
    (other / "report").mkdir()
    (other / "report" / "verdict.json").write_text(verdict)
    report(write_run(tmp_path / "run"))
    [row] = [row for row in rows(tmp_path) if row.startswith("other")]
    assert "Passed" not in row
    assert (tmp_path / "index.html").read_text().count("<script") == 1


def test_the_link_to_the_latest_run_is_no_run_of_its_own(tmp_path):
    run = write_run(tmp_path / "run")
    (tmp_path / "latest").symlink_to("run")
    report(run)
    assert len(rows(tmp_path)) == 1


def test_a_page_of_another_origin_stays(tmp_path):
    (tmp_path / "index.html").write_text("mine")
    [warning] = report(write_run(tmp_path / "run"))["warnings"]
    assert warning.endswith("is in the way of the list of runs, and stays. Move it away.")
    assert (tmp_path / "index.html").read_text() == "mine"


def test_a_report_outside_of_a_run_writes_no_list(tmp_path):
    run = write_run(tmp_path / "results" / "run")
    create_report([str(run)], tmp_path / "out", ("html",), SCHEMAS, TEMPLATES)
    assert not (tmp_path / "results" / "index.html").exists()
    assert not (tmp_path / "index.html").exists()
