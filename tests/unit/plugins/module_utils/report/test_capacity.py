# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first screen of a search's report: the answer, the interval, the resources side by side, and its picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_sealed, write_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.report import charts, style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import build_model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.report import create_report
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.verdict import overall_verdict
from fakes.report_sources import SCHEMAS, read_sources
from fakes.run_factory import write_run

ROOT = Path(__file__).resolve().parents[5]
SENTENCE = "This MLflow (1 worker, SQLite) carries 1.4 to 1.6 journeys/s of 80/20 load over 1 tenant with P95 <= 2 s; MLflow's worker is at 98 % of a core."
SEARCH = {
    "axis": "rate", "start": 1.0, "minimum": 0.1, "maximum": 100.0, "resolution": 0.1, "probes_max": 20, "limits": {"fast": 2000.0},
    "objectives": [{"name": "fast", "select": "total", "metric": "p95_ms", "max": 2000}], "stop_when": {},
}  # fmt: skip


def probe(load, verdict, p95, is_hopeless=False):
    why = "" if verdict == "holds" else "total.p95_ms 3000, limit <= 2000"
    return {
        "id": f"t1-q{load:g}-r1", "load": load, "verdict": verdict, "why": why, "values": {"fast": p95}, "missed": [], "rate_per_s": 50 * load,
        "is_hopeless": is_hopeless,
    }  # fmt: skip


@pytest.fixture(name="search")
def fixture_search(tmp_path):
    """Return a function that writes a run that is a search, with its capacity.json."""

    def write(answered=True):
        run = write_run(tmp_path / "run", tenants=(1,), concurrency=(), rates=(1, 2))
        document = read_sealed(run / "run.json")
        document["plan"]["settings"]["context"] = {"capacity": SEARCH}
        for result in document["objectives"]:
            result["status"] = "missed"
        sentence = SENTENCE if answered else "This MLflow carries at least 2 journeys/s."
        write_sealed(run / "run.json", {**document, "search": {"answered": answered, "sentence": sentence}})
        figures = [
            {"name": "mlflow_cpu", "label": "MLflow's workers", "unit": "cores", "used": 0.98, "available": 1.0, "share": 0.98, "used_below": 0.7},
            {"name": "mlflow_memory", "label": "memory of MLflow", "unit": "bytes", "used": 2**29, "available": None, "share": None, "used_below": 2**28},
        ]
        found = {
            "schema_version": 2, "run_id": "run", "status": "answered" if answered else "above", "sentence": sentence, "axis": "rate", "unit": "journeys/s",
            "search": SEARCH, "why": "", "crossing": {"load": 1.5, "low": 1.4, "high": 1.6, "width": 0.13, "method": "fit", "probes": 9} if answered else None,
            "requests_per_s": {"low": 70.0, "high": 80.0}, "shown": {"holds": 1.0, "fails": 2.0},
            "breaks": {"by": "fast", "operation": "search_prompts", "at": "t1-q2-r1", "below": "t1-q1-r1"},
            "cause": {"name": "mlflow_cpu", "sentence": "MLflow's worker is at 98 % of a core", "figures": figures},
            "probes": [probe(1.0, "holds", 100.0), probe(2.0, "fails", 3000.0), probe(8.0, "fails", None, is_hopeless=True)],
        }  # fmt: skip
        write_sealed(run / "capacity.json", found)
        return run

    return write


def page_of(run):
    create_report([run], run / "report", ["html", "markdown"], SCHEMAS, ROOT / "files" / "report")
    return (run / "report" / "index.html").read_text(encoding="utf-8"), (run / "report" / "summary.md").read_text(encoding="utf-8")


def test_the_report_begins_with_the_answer(search):
    page, summary = page_of(search())
    assert f'<h1><span class="answer">{SENTENCE.replace("<=", "&lt;=").replace(chr(39), "&#39;")}</span></h1>' in page
    assert summary.startswith("# This MLflow")


def test_the_resources_stand_side_by_side(search):
    page, _summary = page_of(search())
    assert '<td class="text">MLflow&#39;s workers</td><td>0.700 cores</td><td>0.980 cores</td><td>1.00 cores</td><td>98 %</td>' in page
    assert "<td>256 MiB</td><td>512 MiB</td><td>–</td><td>–</td>" in page


def test_both_say_what_was_shown_and_from_what(search):
    page, summary = page_of(search())
    facts = ("1.00 journeys/s", "2.00 journeys/s", "1.40 to 1.60 journeys/s (13 % wide, wanted 10 %)", "a local fit of the latency over the load, 9 probes")
    for text in facts:
        assert text in page
        assert text in summary.replace("\\", "")


def test_a_search_advises_no_repeats(search):
    assert "Fewer than 3 repeats" not in "".join(page_of(search()))


def test_objectives_that_probes_miss_on_purpose_fail_nothing(search):
    verdict = overall_verdict(build_model(read_sources([search()])))
    assert (verdict.status, verdict.reasons, verdict.objectives) == ("passed", [], [])


def test_a_search_without_an_answer_fails(search):
    verdict = overall_verdict(build_model(read_sources([search(answered=False)])))
    assert verdict.status == "failed"
    assert verdict.reasons == ["Search of run run: has no answer. This MLflow carries at least 2 journeys/s."]


@pytest.mark.parametrize("answered", [True, False])
def test_the_search_has_a_picture(search, answered):
    model = build_model(read_sources([search(answered)]))
    assert charts.names_of(model)[0] == "chart_capacity"
    with style.applied():
        assert style.png_bytes(charts.chart("chart_capacity").draw(model)).startswith(b"\x89PNG")


def test_a_damaged_answer_is_named_and_the_rest_reported(search):
    run = search()
    text = (run / "capacity.json").read_text(encoding="utf-8")
    (run / "capacity.json").write_text(text.replace("1.4", "1.3"), encoding="utf-8")
    model = build_model(read_sources([run]))
    assert "capacity.json" in " ".join(model.warnings)
    assert "chart_capacity" not in charts.names_of(model)
