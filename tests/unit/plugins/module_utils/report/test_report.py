# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.charts import CHARTS
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import ReportError
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.markdown import STEP_SUMMARY_BYTES, append_step_summary, table
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import build_model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.overview import resource_table
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.report import FORMATS, create_report
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import source_labels
from fakes.legacy_folder import write_legacy_folder, write_legacy_summary
from fakes.report_sources import read_sources
from fakes.run_factory import edit_record, write_run

LEGACY_FILES = {
    "report_summary.csv", "report_p95_latencies.csv", "report_rps.csv", "report_latency_analysis_by_tenants.csv", "report_latency_analysis_summary.csv",
}
SCHEMAS = Path(__file__).resolve().parents[5] / "files" / "schemas"
TEMPLATES = Path(__file__).resolve().parents[5] / "files" / "report"
VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Collects what a screen reader without network reads, and fails on tags that do not close."""

    def __init__(self, text):
        super().__init__()
        self.open, self.figures, self.links, self.ids, self.first_heading, self.text = [], [], [], set(), "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids |= {attributes["id"]} if "id" in attributes else set()
        if attributes.get("role") == "img":
            self.figures.append(attributes["aria-label"])
        if tag == "a":
            self.links.append(attributes["href"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)
        if "h1" in self.open:
            self.first_heading += data


@pytest.fixture(name="report", scope="module")
def fixture_report(tmp_path_factory):
    """One complete report, drawn once for all the tests that only read it."""
    root = tmp_path_factory.mktemp("report")
    run = write_run(root / "run-1", verdicts={"t1-c5-r1": "invalid", "t10-c5-r1": "failed"}, errors=0.1)
    return root / "out", create_report([str(run)], root / "out", FORMATS, SCHEMAS, TEMPLATES)


def test_every_format_is_written_and_listed(report):
    output, result = report
    assert set(result["files"]) == {path.name for path in output.iterdir()}
    assert set(result["files"]) >= LEGACY_FILES | {f"{name}.png" for name in CHARTS} | {"verdict.json", "summary.md", "index.html", "junit.xml", "metrics.prom"}
    assert (result["cells"], result["status"], result["warnings"]) == (4, "failed", [])


def test_the_page_is_one_small_offline_file_that_starts_with_the_answer(report):
    output, result = report
    text = (output / "index.html").read_text()
    assert len(text) < 3_000_000
    page = Page(text)
    assert page.open == []
    assert page.first_heading.strip() == result["answer"]
    assert not re.search(r"""(?:src|href|url\()\s*=?\s*["']?(?:https?:)?//""", text)
    for link in page.links:
        assert link[1:] in page.ids if link.startswith("#") else (output / unquote(link)).exists()


def test_every_figure_tells_its_values_to_those_who_do_not_see_it(report):
    output, _result = report
    figures = Page((output / "index.html").read_text()).figures
    assert len(figures) > 12
    assert [text for text in figures if not re.search(r"\d", text)] == []


def test_the_page_has_verdicts_reasons_objectives_and_conditions(report):
    output, _result = report
    text = "".join(Page((output / "index.html").read_text()).text)
    for part in ("generator_cpu_share: 0.97", "exit code 137", "requests succeed", "fingerprint".capitalize(), "3.17.2", "search_prompts", "k6_benchmark"):
        assert part in text, part
    assert "nan" not in text.lower().replace("tenant", "")


def test_the_page_escapes_what_it_shows(tmp_path):
    run = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,))
    edit_record(run / "run.json", config={"preset": "<script>alert(1)</script>"})
    create_report([str(run)], tmp_path / "out", ["html"], SCHEMAS, TEMPLATES)
    text = (tmp_path / "out" / "index.html").read_text()
    assert text.count("<script") == 1
    assert "&lt;script&gt;alert(1)" in text


def test_the_summary_names_what_was_measured(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10))
    edit_record(directory / "run.json", fingerprint={"database": "3.40.1", "nodes": [{"name": "n1", "cpu_cores": 2}]})
    for path in (directory / "cells").glob("*/cell.json"):
        spec = json.loads(path.read_text())["spec"]
        factors = {**spec["factors"], "mlflow_version": "3.17.2", "replicas": 2, "workers": 4}
        edit_record(path, spec={**spec, "factors": factors})
    create_report([str(directory)], tmp_path / "out", ("markdown", "html"), SCHEMAS, TEMPLATES)
    assert (tmp_path / "out" / "summary.md").read_text().count("  - Measured: MLflow 3.17.2, database sqlite 3.40.1, replicas 2, workers 4\n") == 1
    assert "nodes.1.cpu_cores" in (tmp_path / "out" / "index.html").read_text()


def test_summary_and_verdict_agree(report):
    output, result = report
    summary = (output / "summary.md").read_text()
    verdict = json.loads((output / "verdict.json").read_text())
    assert summary.startswith(f"# {result['summary']}\n")
    assert verdict["status"] == result["status"]
    assert verdict["cells"] == {"valid": 2, "invalid": 1, "failed": 1}
    assert all(reason in summary for reason in verdict["reasons"])
    assert "| t1-c10-r1 | 1 | 10 users | valid |" in summary


def test_tables_only_neither_draw_nor_write_the_rest(tmp_path):
    result = create_report([str(write_run(tmp_path / "run"))], tmp_path / "out", ["csv", "markdown"], SCHEMAS)
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".csv", ".md", ".json"}
    assert len(result["files"]) == 15


@pytest.mark.parametrize(
    ("repeats", "sentence"), [(1, "no difference between cells is tested"), (3, "Noise floor: differences between two points of 3 repeats")]
)
def test_the_first_screen_says_what_differences_mean(tmp_path, repeats, sentence):
    run = write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10), repeats=repeats)
    create_report([str(run)], tmp_path / "out", ["markdown", "html"], SCHEMAS, TEMPLATES)
    page = (tmp_path / "out" / "index.html").read_text()
    assert sentence in page[:page.index("<nav")]
    summary = (tmp_path / "out" / "summary.md").read_text()
    assert sentence in summary[:summary.index("## ")]
    assert ("Points and their repeats" in summary) == (repeats == 3)


def test_a_run_of_one_cell_has_no_differences(tmp_path):
    create_report([str(write_run(tmp_path / "run", tenants=(1,), concurrency=(5,)))], tmp_path / "out", ["markdown"], SCHEMAS)
    assert "noise" not in (tmp_path / "out" / "summary.md").read_text().lower()


def test_several_runs_stand_side_by_side(tmp_path):
    sources = [str(write_run(tmp_path / name, backend=name)) for name in ("sqlite", "postgres")]
    create_report(sources, tmp_path / "out", ["markdown"], SCHEMAS)
    summary = (tmp_path / "out" / "summary.md").read_text()
    assert "| run | factors | cell |" in summary
    assert "| postgres | postgres | t1-c5-r1 |" in summary


def test_a_legacy_folder_is_reported(tmp_path):
    result = create_report([str(write_legacy_folder(tmp_path / "old"))], tmp_path / "out", ["csv", "markdown"], SCHEMAS)
    assert result["status"] == "not_judged"
    assert "results of the legacy suite" in (tmp_path / "out" / "summary.md").read_text()


def test_the_step_summary_is_appended_and_has_no_links_to_files(tmp_path):
    """A CI server shows it away from the report."""
    step = tmp_path / "step"
    step.write_text("before\n")
    run = str(write_run(tmp_path / "run"))
    result = create_report([run], tmp_path / "out", ["markdown"], SCHEMAS, step_summary_file=str(step))
    shown, summary = step.read_text(), (tmp_path / "out" / "summary.md").read_text()
    assert shown == "before\n" + summary[: summary.index("\n## Files")]
    assert result["warnings"] == []


def test_a_step_summary_that_is_too_long_ends_with_a_whole_line(tmp_path):
    step = tmp_path / "step"
    step.write_bytes(b"x" * (STEP_SUMMARY_BYTES - 500))
    assert append_step_summary(step, "a line of the summary\n" * 100) == []
    end = step.read_bytes()[-300:].decode()
    assert end.endswith("a line of the summary\n\nThe summary is too long to be shown here; summary.md of the report has all of it.\n")
    assert step.stat().st_size <= STEP_SUMMARY_BYTES


def test_a_step_summary_that_cannot_be_written_is_a_warning(tmp_path):
    run = str(write_run(tmp_path / "run", tenants=(1,), concurrency=(5,)))
    result = create_report([run], tmp_path / "out", ["csv"], SCHEMAS, step_summary_file=str(tmp_path / "absent" / "step"))
    assert [text.partition(": cannot be written (No such file or directory). ")[1] != "" for text in result["warnings"]] == [True]


def test_check_mode_writes_nothing(tmp_path):
    step = tmp_path / "step"
    result = create_report([str(write_run(tmp_path / "run"))], tmp_path / "out", FORMATS, SCHEMAS, write=False, step_summary_file=str(step))
    assert not step.exists()
    assert result["files"] == []
    assert not (tmp_path / "out").exists()


def test_an_unwritable_output_is_one_sentence(tmp_path):
    (tmp_path / "out").write_text("a file where the directory should be")
    with pytest.raises(FileWriteError, match=r"^File .*\.$"):
        create_report([str(write_run(tmp_path / "run"))], tmp_path / "out", ["csv"], SCHEMAS)


def test_nothing_usable_writes_nothing(tmp_path):
    with pytest.raises(ReportError, match="nothing usable"):
        create_report([str(tmp_path)], tmp_path / "out", FORMATS, SCHEMAS)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("metrics", "further"),
    [
        pytest.param("ok", [], id="local"),
        pytest.param("cluster", ["pods", "pods started", "OOM kills", "throttled %", "received kB/s", "sent kB/s"], id="cluster"),
    ],
)
def test_the_table_of_components_shows_what_was_measured(tmp_path, metrics, further):
    model = build_model(read_sources([write_run(tmp_path / "run", tenants=(1,), concurrency=(5,), metrics=metrics)]))
    columns, rows = resource_table(model.resources)
    assert columns[9:] == further
    assert {len(row) for row in rows} == {len(columns)}
    if further:
        named = {row[1]: dict(zip(columns, row, strict=True)) for row in rows}
        assert [named["mlflow"][title] for title in further[:4]] == ["3.00 to 4.00", "0", "1.00", "12.0"]
        assert (named["router"]["throttled %"], named["openshift_oauth"]["pods"]) == ("–", "–")


def test_the_table_of_components_names_the_sampler(tmp_path):
    run = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,))
    record = run / "cells" / "t1-c5-r1" / "cell.json"
    resources = json.loads(record.read_text())["resources"]
    resources["mlflow"]["source"] = "sampler"
    edit_record(record, resources=resources)
    _columns, rows = resource_table(build_model(read_sources([run])).resources)
    assert {row[1]: row[2] for row in rows if row[1] in ("mlflow", "k6_benchmark")} == {"mlflow": "ok (sampler)", "k6_benchmark": "ok"}


def test_texts_of_others_are_shown_and_never_rendered(tmp_path):
    """Names of folders and components of a legacy suite are anybody's."""
    folder = write_legacy_folder(tmp_path / "r`1`|*\x1b[31m")
    write_legacy_summary(folder / "summary_tenants-10_concurrency_5.json", 10, 5, p95=50.0)
    for path in folder.glob("metrics_*.csv"):
        path.write_text(path.read_text().replace("router,", "\"=HYPERLINK(\"\"http://x\"\")\u202e\","))
    create_report([str(folder)], tmp_path / "out", ["csv", "markdown", "html"], SCHEMAS, TEMPLATES)
    written = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", "".join(written.values()))
    assert "Run `` r`1`\\|*\\x1b[31m ``: results of the legacy suite" in written["summary.md"]
    assert "=HYPERLINK" in written["report_resources.csv"]
    cells = [cell for name, text in written.items() if name.endswith(".csv") for row in csv.reader(text.splitlines()) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "@", "+", "\t"))]
    assert all(float(cell) < 0 for cell in cells if cell.startswith("-"))


def test_markdown_tables_hold_markdown():
    assert table(["a"], [["x"], ["`y`"]]) == ["| a |", "| --- |", "| x |", "| `y` |"]


def test_an_open_load_has_what_was_achieved_beside_what_was_declared(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,), rates=(4,))
    create_report([directory], tmp_path / "out", ["markdown", "html"], SCHEMAS, TEMPLATES)
    assert "| 4 journeys/s, 3.60 started |" in (tmp_path / "out" / "summary.md").read_text()
    assert "4 journeys/s, 3.60 started" in (tmp_path / "out" / "index.html").read_text()


def test_the_report_says_from_what_the_cells_started(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10))
    reason = "The cell started with the rows that earlier cells left, because state_reset is never."
    baseline = {
        "name": "t1", "tenants": 1, "data_set_digest": "5f6a59d7ec68", "prefix": "tenant-", "mlflow_version": "3.17.2", "schema_revision": "dc11669786a5",
        "database_kind": "sqlite", "rows": {"runs": 30},
    }  # fmt: skip
    states = {
        "t1-c5-r1": {"state_reset": "cell", "status": "restored", "reason": None, "baseline": baseline},
        "t1-c10-r1": {"state_reset": "cell", "status": "never", "reason": reason, "baseline": None},
    }
    for cell, state in states.items():
        edit_record(directory / "cells" / cell / "cell.json", start_state=state)
    create_report([directory], tmp_path / "out", FORMATS, SCHEMAS, TEMPLATES)
    sentence = f"The state after prefill was restored before 1 of 2 measured cells. {reason}"
    assert sentence in " ".join(Page((tmp_path / "out" / "index.html").read_text()).text)
    assert sentence in (tmp_path / "out" / "summary.md").read_text()


def test_the_page_of_a_run_that_goes_on_says_how_far_it_is(tmp_path):
    run = write_run(tmp_path / "run", verdicts={"t10-c5-r1": "missing", "t10-c10-r1": "missing"})
    edit_record(run / "run.json", ended=None)
    create_report([run], tmp_path / "out", ["html"], SCHEMAS, TEMPLATES, cell_parts=False)
    text = (tmp_path / "out" / "index.html").read_text()
    assert "Run run is not over: 2 of 4 cells are measured; next or running is t10-c5-r1." in text
    assert "data-running" in text
    assert "Inside the cells" not in text


def test_the_page_of_a_run_that_ended_does_not_load_itself_again(report):
    output, _result = report
    assert "<body>" in (output / "index.html").read_text()


def test_several_sources_have_letters_and_the_factors_that_differ(tmp_path):
    sources = [str(write_run(tmp_path / name, backend=name)) for name in ("sqlite", "postgres")]
    create_report(sources, tmp_path / "out", ["html"], SCHEMAS, TEMPLATES)
    text = " ".join("".join(Page((tmp_path / "out" / "index.html").read_text()).text).split())
    assert "A sqlite sqlite 4 B postgres postgres 4".replace(" ", "") in text.replace(" ", "")


@pytest.mark.parametrize("options", [{}, {"backend": "sqlite"}])
def test_runs_with_equal_factors_have_numbers(tmp_path, options):
    sources = [write_run(tmp_path / name, tenants=(1,), **options) for name in ("one", "two")]
    assert list(source_labels(build_model(read_sources(sources))).values()) == ["A1", "A2"]


def test_one_source_has_no_label(tmp_path):
    assert list(source_labels(build_model(read_sources([write_run(tmp_path / "run")]))).values()) == [""]


def test_what_was_not_judged_counts_as_neither(tmp_path):
    sources = [str(write_run(tmp_path / "run")), str(write_legacy_folder(tmp_path / "old"))]
    result = create_report(sources, tmp_path / "out", ["markdown"], SCHEMAS)
    assert result["summary"] == "Passed: 4 of 4 cells are valid, 8 of 8 objectives are met, 4 cells of the legacy suite are not judged."


@pytest.mark.parametrize(("loads", "expected"), [(7, ""), (8, "dense"), (13, "dense dots")])
def test_a_map_of_many_loads_is_dense(tmp_path, loads, expected):
    run = write_run(tmp_path / "run", tenants=(1,), concurrency=range(1, loads + 1))
    create_report([run], tmp_path / "out", ["html"], SCHEMAS, TEMPLATES, cell_parts=False)
    text = (tmp_path / "out" / "index.html").read_text()
    assert f'<table class="map {expected}">' in text
    assert text.count('<td class="meets"') == loads


def test_a_run_of_which_much_is_broken_has_a_page_that_names_it(tmp_path):
    run = write_run(tmp_path / "run", tenants=(1, 10, 100))
    cells = run / "cells"
    (cells / "t1-c5-r1" / "cell.json").write_text('{"schema_version": 2, "id": ')
    (cells / "t1-c10-r1" / "cell.json").unlink()
    (cells / "t10-c5-r1" / "cell.json").write_text('{"schema_version": 99, "id": "t10-c5-r1"}')
    (cells / "other").mkdir()
    (cells / "other" / "cell.json").write_text("[]")
    (cells / "notes.txt").write_text("mine")
    create_report([run], tmp_path / "out", FORMATS[-1:], SCHEMAS, TEMPLATES)
    page = Page((tmp_path / "out" / "index.html").read_text())
    notes = "".join(page.text).partition("Notes on what was read")[2]
    assert page.open == []
    for name in ("t1-c5-r1", "t1-c10-r1", "t10-c5-r1", "other", "notes.txt"):
        assert name in notes, name


def test_a_page_needs_no_library_that_draws(tmp_path):
    """It is written after every cell, beside the next one."""
    run = write_run(tmp_path / "run")
    call = f"create_report([{str(run)!r}], {str(tmp_path / 'out')!r}, ['csv', 'markdown', 'html'], {str(SCHEMAS)!r}, {str(TEMPLATES)!r})"
    code = f"import sys; from {create_report.__module__} import create_report; {call}; print([name for name in ('matplotlib', 'PIL') if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[5] / ".collections")}
    assert subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout == "[]\n"
