# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import os
import signal
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from pandas import DataFrame
from PIL import Image

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import bars, chart_resources, charts, heat_map, panels, style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import ReportError
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import build_model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.points import least_spread
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.repeats import Noise
from fakes.legacy_folder import write_legacy_folder
from fakes.report_sources import read_sources
from fakes.run_factory import write_run

ALL = {f"t{tenants}-c{users}-r1": "failed" for tenants in (1, 10) for users in (5, 10)}
SHAPES = [
    pytest.param({}, id="four cells"),
    pytest.param({"tenants": (5,), "concurrency": (10,)}, id="one cell"),
    pytest.param({"concurrency": (), "rates": (1, 2.5)}, id="open"),
    pytest.param({"rates": (2.5,), "repeats": 2}, id="open and closed, repeats"),
    pytest.param({"metrics": "not_requested"}, id="no metrics"),
    pytest.param({"metrics": "missing", "errors": 0.2}, id="metrics missing, failures"),
    pytest.param({"metrics": "cluster"}, id="a cluster"),
    pytest.param({"verdicts": ALL}, id="all failed"),
    pytest.param({"verdicts": {"t1-c5-r1": "invalid", "t10-c5-r1": "missing"}}, id="invalid and missing"),
]


def model_of(*sources):
    return build_model(read_sources(sources))


def picture(content):
    return Image.open(io.BytesIO(content)).convert("L")


# The drawing library many times over: counting its lines takes as long again.
@pytest.mark.no_cover
@pytest.mark.parametrize("options", SHAPES)
def test_every_chart_is_drawn_with_missing_data(tmp_path, options):
    drawn = charts.draw_all(model_of(write_run(tmp_path / "run", **options)), processes=1)
    assert list(drawn) == list(charts.CHARTS)
    for name, content in drawn.items():
        image = picture(content)
        assert image.width == 1320
        assert len(content) < 150_000
        assert image.getextrema()[0] < 100, name


@pytest.mark.no_cover
@pytest.mark.parametrize("name", list(charts.CHARTS))
def test_no_chart_has_blank_space_below(tmp_path, name):
    model = model_of(write_run(tmp_path / "run"))
    with style.applied():
        pixels = np.asarray(picture(style.png_bytes(charts.CHARTS[name].draw(model))))
    drawn = np.flatnonzero((pixels < 200).any(axis=1))
    assert len(pixels) - drawn[-1] < 0.3 * style.DPI


def test_two_processes_draw_the_same(tmp_path):
    model = model_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5,)))
    assert charts.draw_all(model, processes=2) == charts.draw_all(model, processes=1)


def be_killed(_name):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_ends_the_drawing(tmp_path, monkeypatch):
    monkeypatch.setattr(charts, "_draw", be_killed)
    with pytest.raises(ReportError, match=r"Charts: a process that draws them was killed\. Free memory"):
        charts.draw_all(model_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5,))), processes=2)


def test_settings_of_the_users_matplotlib_do_not_count():
    with style.applied():
        ours = dict(mpl.rcParams)
    with mpl.rc_context({"axes.facecolor": "black", "axes.xmargin": 0.4, "font.size": 30}), style.applied():
        assert dict(mpl.rcParams) == ours
    assert mpl.rcParams["axes.facecolor"] == "white"


def test_charts_of_a_legacy_folder_and_of_two_groups(tmp_path):
    model = model_of(write_legacy_folder(tmp_path / "old"), write_run(tmp_path / "new", backend="postgres"))
    assert len(charts.draw_all(model, processes=1)) == 12


@pytest.mark.no_cover
@pytest.mark.parametrize("name", list(charts.CHARTS))
def test_long_factors_are_neither_cut_nor_on_top_of_each_other(tmp_path, name):
    long = [f"postgres {version} with a pool of twenty connections for each worker" for version in (15, 16)]
    model = model_of(*(write_run(tmp_path / backend, backend=backend) for backend in long))
    assert model.groups == long
    with style.applied():
        figure = charts.CHARTS[name].draw(model)
        figure.canvas.draw()
        titles = [text.get_window_extent() for ax in figure.axes for text in ax.findobj(Text) if text.get_text() and text.get_text() == ax.get_title("left")]
        legends = [legend.get_window_extent() for legend in figure.legends]
    assert all(box.x1 <= figure.bbox.width for box in titles + legends)
    assert titles
    assert not any(one.overlaps(other) for one, other in combinations(titles, 2))


@pytest.fixture(name="ax")
def fixture_ax():
    with style.applied():
        yield Figure().add_subplot()


def draw(ax, model, column="goodput_per_s", low_n=""):
    seen = panels.Seen()
    panels.draw_lines(ax, model.cells, column, panels.load_axis(model), panels.tenant_axis(model), model.groups, seen, low_n)
    return seen


def test_a_missing_value_is_a_mark_and_a_gap_not_a_zero(ax, tmp_path):
    model = model_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10, 20), verdicts={"t1-c10-r1": "failed"}))
    seen = draw(ax, model)
    line = ax.get_lines()[0]
    assert np.isnan(line.get_ydata()[1])
    assert np.nanmin(line.get_ydata()) > 0
    assert "missing" in seen.marks
    mark = next(line for line in ax.get_lines() if line.get_marker() == "x")
    assert mark.get_transform() != ax.transData


def test_the_median_is_there_when_a_p95_is_not(ax, tmp_path):
    model = model_of(write_run(tmp_path / "run"))
    model.operations.loc[model.operations["operation"] == "create_run", ["p95", "ok_p95"]] = np.nan
    rows = model.operations[model.operations["operation"] == "create_run"]
    seen = panels.Seen()
    panels.draw_medians(ax, rows, "p50", panels.load_axis(model), panels.tenant_axis(model), model.groups, seen)
    assert seen.marks == {"median"}
    assert len(ax.get_lines()) == 4
    with style.applied():
        figure = charts.CHARTS["chart_response_times_by_concurrency"].draw(model)
    assert [text.get_text() for axes in figure.axes for text in axes.texts] == ["too few samples for a P95"]


def test_users_and_rates_are_not_joined(ax, tmp_path):
    model = model_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10), rates=(1, 2)))
    draw(ax, model)
    lines = [line for line in ax.get_lines() if line.get_linestyle() != "None"]
    assert [list(line.get_xdata()) for line in lines] == [[0, 1], [2, 3]]


def test_a_cell_that_is_not_valid_is_marked_and_not_joined(ax, tmp_path):
    model = model_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10, 20), verdicts={"t1-c10-r1": "invalid"}))
    assert "not_valid" in draw(ax, model).marks
    assert np.isnan(ax.get_lines()[0].get_ydata()[1])
    assert len(next(line for line in ax.get_lines() if line.get_marker() == "X").get_ydata()) == 1


def test_few_samples_are_hollow_and_failures_ringed(ax, tmp_path):
    model = model_of(write_run(tmp_path / "run", tenants=(1,), errors=0.9))
    model.cells["low_n"] = [("p95",)] * len(model.cells)
    assert {"low_n", "failing"} <= draw(ax, model, "p95", "p95").marks


def test_repeats_are_points_and_the_line_joins_their_medians(ax, tmp_path):
    model = model_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10), repeats=3))
    draw(ax, model)
    line, points = ax.get_lines()
    assert len(points.get_ydata()) == 6
    at_five = model.cells[model.cells["concurrency"] == 5]["goodput_per_s"]
    assert line.get_ydata()[0] == pytest.approx(at_five.median())


def test_tenants_stand_at_equal_distances(tmp_path):
    model = model_of(write_run(tmp_path / "run", tenants=(1, 10, 100, 500), concurrency=(5,)))
    axis = panels.tenant_axis(model)
    assert [axis.place(level) for level in (1, 10, 100, 500)] == [0, 1, 2, 3]
    assert panels.load_axis(model).label == "concurrent users"


@pytest.mark.parametrize(
    ("options", "label", "ticks"),
    [
        ({"concurrency": (), "rates": (2.5, 1)}, "journeys started per second", ["1", "2.5"]),
        ({"concurrency": (5,), "rates": (2.5,)}, "users, or journeys started per second (/s)", ["5", "2.5/s"]),
    ],
)
def test_open_loads_have_their_own_unit(tmp_path, options, label, ticks):
    axis = panels.load_axis(model_of(write_run(tmp_path / "run", **options)))
    assert (axis.label, axis.ticks) == (label, ticks)


def test_an_empty_panel_shows_the_reason(ax, tmp_path):
    model = model_of(write_run(tmp_path / "run", verdicts=ALL))
    assert panels.mark_empty(ax, model.cells, "goodput_per_s", "no rates recorded")
    assert [text.get_text() for text in ax.texts] == ["no rates recorded"]
    assert [patch.get_hatch() for patch in ax.patches] == [style.HATCH_ABSENT]
    assert not panels.mark_empty(ax, model.cells.assign(x=1.0), "x", "unused")


def test_heat_map_writes_medians_and_ranges_and_hatches_what_is_not_valid(ax, tmp_path):
    verdicts = {"t1-c10-r1": "invalid", "t10-c5-r1": "failed", "t10-c10-r1": "missing", "t1-c10-r2": "invalid", "t10-c5-r2": "failed", "t10-c10-r2": "missing"}
    model = model_of(write_run(tmp_path / "run", repeats=2, verdicts=verdicts))
    seen = panels.Seen()
    x, y = panels.load_axis(model), panels.tenant_axis(model)
    heat_map.draw_heat_map(ax, model.cells, "p95", x, y, style.LESS_IS_BETTER, heat_map.limits_of([model.cells], "p95"), seen, log=True)
    texts = [text.get_text() for text in ax.texts]
    assert sorted(text for text in texts if not text[0].isdigit()) == ["failed", "not run"]
    assert sum("–" in text for text in texts) == 2
    assert seen.marks == {"hatched", "absent"}
    assert {patch.get_hatch() for patch in ax.patches} == {style.HATCH, style.HATCH_ABSENT}


def test_few_samples_have_a_tilde_in_a_heat_map(ax, tmp_path):
    model = model_of(write_run(tmp_path / "run"))
    model.cells["low_n"] = [("p95",), (), (), ()]
    x, y = panels.load_axis(model), panels.tenant_axis(model)
    limits = heat_map.limits_of([model.cells], "p95")
    heat_map.draw_heat_map(ax, model.cells, "p95", x, y, style.LESS_IS_BETTER, limits, panels.Seen(), log=True, low_n="p95")
    assert sorted(text.get_text().endswith("~") for text in ax.texts) == [False, False, False, True]


@pytest.mark.parametrize(
    ("noise", "least"),
    [pytest.param(None, 4.0, id="unknown"), pytest.param(Noise(0.01, 8), 2.0, id="little"), pytest.param(Noise(0.1, 8), 3.68, id="much")],
)
def test_a_palette_spans_more_than_noise(noise, least):
    """Equal cells that differ by noise take a quarter of the palette at most, where they would take all of it otherwise."""
    low, high = heat_map.limits_of([DataFrame({"p95": [100.0, 105.0]})], "p95", spread=least_spread(noise))
    assert high / low == pytest.approx(least, rel=0.01)
    assert low * high == pytest.approx(100 * 105)


def test_verdict_map_shows_the_worst_repeat(ax, tmp_path):
    model = model_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5,), repeats=3, verdicts={"t1-c5-r2": "invalid"}))
    heat_map.draw_verdicts(ax, model.cells, panels.load_axis(model), panels.tenant_axis(model))
    assert [text.get_text() for text in ax.texts] == ["invalid\n1 of 3"]


def test_a_missing_bar_is_a_dotted_gap(ax, tmp_path):
    model = model_of(write_run(tmp_path / "run", verdicts={"t1-c5-r1": "failed", "t10-c5-r1": "invalid"}))
    seen = panels.Seen()
    frame = chart_resources.component_frame(model, "mlflow")
    bars.draw_bars(ax, frame, "cpu_cores_mean", bars.Slots(model), seen, "cpu_cores_peak")
    assert seen.marks == {"absent", "hatched"}
    heights = [patch.get_height() for container in ax.containers for patch in container]
    assert len(heights) == 3
    assert min(heights) > 0


def test_failed_counts_are_written_above_the_bar(ax, tmp_path):
    model = model_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5,), errors=0.5))
    rows = model.operations[model.operations["operation"] == "create_run"]
    bars.stack_counts(ax, rows, bars.Slots(model), panels.Seen())
    assert [text.get_text() for text in ax.texts] == [str(int(rows["failed"].iloc[0]))]


def test_components_without_figures_are_named_with_the_reason(tmp_path):
    model = model_of(write_legacy_folder(tmp_path / "old"))
    assert chart_resources.components(model, "cpu") == (["mlflow", "cluster"], ["router (missing)"])
    assert chart_resources.components(model, "memory") == (["mlflow"], ["router (missing)"])


def test_more_load_levels_have_colours_that_can_be_distinguished():
    assert len({tuple(colour) for colour in style.level_colours(6)}) == 6
    assert len(style.level_colours(1)) == 1
