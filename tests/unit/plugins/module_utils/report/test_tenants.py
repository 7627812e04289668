# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants in the report: their table, how even they are, who stands out, and what a noisy neighbour does to the others."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.report import charts, style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.findings import key_findings
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.isolation import isolation_sentences, isolations
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import build_model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.tables import all_tables
from fakes.report_sources import read_sources
from fakes.run_factory import edit_record, write_run

HEADER = "tenant,n,ok,failed,rate_per_s,p50_ms,p95_ms,max_ms,journeys_started,journeys_completed\n"


@pytest.fixture(name="model")
def fixture_model(tmp_path):
    """Return a function that builds the model of a run of ten tenants, one of them slow, with so many repeats."""

    def create(repeats=1, count=10):
        run = write_run(tmp_path / "run", tenants=(count,), concurrency=(5,), repeats=repeats)
        for place, cell in enumerate(sorted((run / "cells").iterdir())):
            fairness = {"p95": 0.18 + 0.01 * (place - repeats // 2), "completed": 0.99, "median_p95_ms": 30.0, "worst_to_median": 10.0}
            edit_record(cell / "cell.json", tenants={"judged": count, "worst_p95": None, "slowest": None, "fairness": fairness})
            rows = [f"tenant-{number},40,40,0,1.3,20,{300 if number == 3 else 30},400,2,2\n" for number in range(1, count)]
            rows.append(f"tenant-{count},3,3,0,0.1,,,9,1,1\n")
            (cell / "tenants.csv").write_text(HEADER + "".join(rows), encoding="utf-8")
        return build_model(read_sources([run]))

    return create


def test_the_table_has_a_row_for_each_tenant(model):
    table = all_tables(model())["report_tenants.csv"]
    assert list(table["tenant"])[:2] == ["tenant-1", "tenant-2"]
    assert len(table) == 10
    assert pd.isna(table["p95_ms"].iloc[9])


def test_the_table_of_fairness_has_intervals_where_repeats_allow(model):
    [row] = all_tables(model())["report_fairness.csv"].to_dict("records")
    assert (row["jain_p95"], row["worst_tenant_to_median"]) == (0.18, 10.0)
    assert pd.isna(row["jain_p95_low"])


def test_three_repeats_have_an_interval(model):
    rows = all_tables(model(repeats=3))["report_fairness.csv"].to_dict("records")
    assert all(row["jain_p95_low"] <= 0.18 <= row["jain_p95_high"] for row in rows)


def test_the_findings_say_how_even_tenants_are(model):
    [found] = [sentence for sentence in key_findings(model()) if sentence.startswith("Tenants: ")]
    assert "Jain's index of P95 0.180" in found
    assert "10.0 times the P95 of its median tenant (cell t10-c5-r1)" in found


@pytest.mark.parametrize("count", [10, 500])
def test_tenants_have_a_picture(model, count):
    found = model(count=count)
    assert "chart_tenants" in charts.names_of(found)
    with style.applied():
        assert len(style.png_bytes(charts.chart("chart_tenants").draw(found))) < 150_000


def test_without_tenants_there_is_no_picture(tmp_path):
    assert "chart_tenants" not in charts.names_of(build_model(read_sources([write_run(tmp_path / "run")])))


def test_a_record_without_fairness_has_none(tmp_path):
    run = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,))
    assert "tenants" not in read_sealed(run / "cells" / "t1-c5-r1" / "cell.json")
    assert build_model(read_sources([run])).cells["jain_p95"].isna().all()


def cells_of(*pairs, verdict="valid"):
    """Return a model with cells in pairs of (P95 of the others without noise, with noise)."""
    rows = [
        {"run_id": "run", "cell_id": f"t10-q1-popularity-{kind}-r{repeat}", "verdict": verdict, "noisy_factor": 10.0 if kind == "noisy" else None,
         "others_p95": p95, "others_goodput": 50.0}
        for repeat, pair in enumerate(pairs, start=1) for kind, p95 in zip(("uniform", "noisy"), pair, strict=True)
    ]  # fmt: skip
    return SimpleNamespace(cells=pd.DataFrame(rows))


def test_a_noisy_neighbour_shows_in_the_pairs():
    [sentence] = isolation_sentences(cells_of((100.0, 150.0), (100.0, 155.0), (100.0, 145.0)))
    assert sentence.startswith("Isolation at t10-q1: beside a tenant with 10.0 times the load of each other tenant, the others have 1.50 times the P95 (1.")
    assert "1.00 times the goodput" in sentence


def test_two_pairs_are_not_tested():
    assert "1.50 times the P95, not tested" in isolation_sentences(cells_of((100.0, 150.0), (100.0, 150.0)))[0]


def test_cells_that_are_not_valid_make_no_pair():
    assert isolations(cells_of((100.0, 150.0), verdict="invalid")) == []
