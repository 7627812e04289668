# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the page about the whole matrix: what is drawn from which records, and what is left out."""

from __future__ import annotations

import re

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.figures import latency_figure, page_figures
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import build_model
from fakes.report_sources import read_sources
from fakes.run_factory import edit_record, write_run


def model_of(*sources):
    return build_model(read_sources(sources))


def figures_of(model):
    return {figure.name: figure for figure in page_figures(model)}


def series_of(chart):
    """Return y values by name of series."""
    return {name: y.split() for name, y in re.findall(r'data-name="([^"]+)" data-x="[^"]*" data-y="([^"]*)"', chart)}


def limit_at(run, metric, limit):
    """Write a run again with one result of an objective for each cell."""
    rows = [
        {"name": "o", "cell": cell["id"], "metric": metric, "value": 1.0, "limit": f"<= {limit}", "status": "met", "severity": "error"}
        for cell in read_sealed(run / "run.json")["cells"]
    ]
    edit_record(run / "run.json", objectives=rows)
    return run


def test_the_first_chart_has_a_line_per_tenant_level_at_proportional_loads(tmp_path):
    model = model_of(write_run(tmp_path / "run", tenants=(1, 10), concurrency=(5, 50)))
    [chart] = latency_figure(model).charts
    assert list(series_of(chart)) == ["1 tenant", "10 tenants"]
    p95 = dict(zip(model.cells["cell_id"], model.cells["p95"], strict=True))
    assert [float(value) for value in series_of(chart)["1 tenant"]] == pytest.approx([p95["t1-c5-r1"], p95["t1-c50-r1"]], rel=1e-4)


def test_the_line_of_the_objective_is_drawn_where_it_fits(tmp_path):
    figure = latency_figure(model_of(limit_at(write_run(tmp_path / "run"), "total.p95_ms", 60)))
    assert "objective 60.0 ms" in figure.charts[0]
    assert "far above" not in figure.caption


def test_an_objective_far_above_is_named_instead(tmp_path):
    figure = latency_figure(model_of(limit_at(write_run(tmp_path / "run"), "total.p95_ms", 90000)))
    assert 'class="limit"' not in figure.charts[0]
    assert figure.caption == "The objective (P95 at most 90\u202f000 ms) is far above this range."


def test_an_objective_of_an_operation_is_in_its_chart(tmp_path):
    charts = figures_of(model_of(limit_at(write_run(tmp_path / "run"), "search_runs.p95_ms", 50)))["operations-p95"].charts
    assert ["P95 of search_runs" in chart for chart in charts if "objective 50.0 ms" in chart] == [True]


def test_repeats_have_intervals_between_them(tmp_path):
    figure = latency_figure(model_of(write_run(tmp_path / "run", repeats=3)))
    assert 'class="bars" d="M' in figure.charts[0]
    assert figure.caption.startswith("Bars are 95 % intervals")


def test_a_cell_that_is_not_valid_is_marked_and_in_the_legend(tmp_path):
    figure = latency_figure(model_of(write_run(tmp_path / "run", verdicts={"t1-c5-r1": "invalid"})))
    assert figure.charts[0].count('class="mark invalid"') == 1
    assert "cell is not valid" in [name for _sample, name in figure.legend]


def test_a_run_without_measurements_has_no_figures(tmp_path):
    verdicts = {f"t{tenants}-c{users}-r1": "failed" for tenants in (1, 10) for users in (5, 10)}
    model = model_of(write_run(tmp_path / "run", verdicts=verdicts))
    assert latency_figure(model) is None
    assert page_figures(model) == []


@pytest.mark.parametrize(
    ("options", "expected", "absent"),
    [
        pytest.param({}, {"throughput", "p50", "p99", "mlflow-cpu", "components-cpu", "operations-p95", "tenants-p95"}, {"failed", "scalability"}, id="plain"),
        pytest.param({"errors": 0.6}, {"failed"}, set(), id="failures"),
        pytest.param({"metrics": "not_requested"}, {"throughput"}, {"mlflow-cpu", "components-cpu", "components-memory"}, id="no metrics"),
        pytest.param({"tenants": (5,)}, {"throughput"}, {"tenants-p95", "tenants-goodput"}, id="one tenant level"),
        pytest.param({"concurrency": (1, 2, 4, 8, 16, 32), "repeats": 3}, {"scalability"}, set(), id="a sweep"),
        pytest.param({"rates": (2, 4)}, {"throughput", "throughput-open"}, set(), id="open and closed"),
    ],
)
def test_figures_are_those_for_which_there_are_values(tmp_path, options, expected, absent):
    names = set(figures_of(model_of(write_run(tmp_path / "run", **options))))
    assert expected <= names
    assert not absent & names


def test_names_of_figures_are_unique(tmp_path):
    names = [figure.name for figure in page_figures(model_of(write_run(tmp_path / "run", rates=(2, 4), metrics="cluster")))]
    assert len(names) == len(set(names))


def test_sources_differ_by_dash_and_letter(tmp_path):
    figure = latency_figure(model_of(write_run(tmp_path / "a", tenants=(1,)), write_run(tmp_path / "b", tenants=(1,), backend="postgres")))
    assert [name for _sample, name in figure.legend] == ["1 tenant · A", "1 tenant · B"]
    assert figure.charts[0].count("stroke-dasharray") == 1
