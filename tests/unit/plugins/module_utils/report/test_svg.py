# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures as SVG: their scales, ticks and marks, and that hostile names stay text."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.svg import Panel, Plot, Series, described, linear_ticks, log_ticks, plot_svg, tick_text

GAP = math.nan


def drawn(series, **options):
    """Return the parsed svg element of a plot with one panel, 100 to 500 pixels wide and 26 to 126 high."""
    panel = Panel("P95 in ms", series, "ms", 100, **options)
    return parsed(Plot([panel], "users", (0, 100), width=516, left=100, alt="P95"))


def parsed(plot):
    return ET.fromstring(plot_svg(plot))  # noqa: S314 our own text


def paths(svg, kind):
    return [element for element in svg.iter("path") if kind in element.get("class", "").split()]


@pytest.mark.parametrize(
    ("low", "high", "wanted", "expected"),
    [
        pytest.param(0, 50, 5, [0, 10, 20, 30, 40, 50], id="tens"),
        pytest.param(0, 1.1, 3, [0, 0.5, 1], id="halves"),
        pytest.param(-30, 60, 5, [-20, 0, 20, 40, 60], id="negative"),
        pytest.param(0, 0.003, 4, [0, 0.001, 0.002, 0.003], id="small"),
        pytest.param(7, 7, 4, [7], id="one value"),
    ],
)
def test_linear_ticks_are_round(low, high, wanted, expected):
    assert linear_ticks(low, high, wanted) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(10, 1000, [10, 20, 50, 100, 200, 500, 1000]), (1, 2000, [1, 3, 10, 30, 100, 300, 1000]), (0.1, 1e5, [0.1, 1, 10, 100, 1000, 10000, 100000])],
)
def test_logarithmic_ticks_thin_out(low, high, expected):
    assert log_ticks(low, high) == expected


@pytest.mark.parametrize(("value", "text"), [(0.05, "0.05"), (20.0, "20"), (1500.0, "1\u202f500"), (0.30000000000000004, "0.3")])
def test_tick_labels_have_no_trailing_zeros(value, text):
    assert tick_text(value) == text


def test_axes_are_proportional():
    [line] = paths(drawn([Series("a", [5, 10, 50], [0, 50, 100])], ends=(0, 100)), "line")
    assert line.get("d") == "M120 126L140 76L300 26"


def test_a_gap_and_an_invalid_value_break_the_line():
    series = Series("a", [10, 20, 30, 40, 50], [10, GAP, 30, 40, 50], shape=0, invalid=frozenset({3}))
    svg = drawn([series], ends=(0, 100))
    assert paths(svg, "line")[0].get("d").count("M") == 3
    assert len(paths(svg, "mark")) == 4
    assert [mark.get("data-place") for mark in paths(svg, "invalid")] == ["3"]


def test_intervals_are_bars_at_marks_and_bands_elsewhere():
    bounds = {"low": [8, GAP], "high": [12, GAP]}
    marked = drawn([Series("a", [10, 20], [10, 20], shape=0, **bounds)])
    plain = drawn([Series("a", [10, 20], [10, 20], **bounds)])
    assert paths(marked, "bars")[0].get("d").count("V") == 1
    assert paths(plain, "band")[0].get("d").endswith("z")


def test_elements_carry_their_data():
    [group] = [element for element in drawn([Series("a", [10, 20], [1.23456789, GAP])]).iter("g") if "series" in element.get("class", "")]
    assert (group.get("data-x"), group.get("data-y")) == ("10 20", "1.2346 -")


def test_a_limit_is_inside_the_axis():
    svg = drawn([Series("a", [10], [10])], limits=[(200.0, "objective 200 ms")])
    [panel] = [element for element in svg.iter("g") if "panel" in element.get("class", "")]
    assert float(panel.get("data-y1")) > 200
    assert "objective 200 ms" in [text.text for text in svg.iter("text")]


def test_many_values_become_one_path():
    svg = drawn([Series("a", list(range(100)), [1.0] * 100, shape=0, kind="dots")])
    assert paths(svg, "mark") == []
    assert paths(svg, "dots")[0].get("d").count("h0") == 100


def test_hostile_names_stay_text():
    name = "</svg><script>alert(\"1\")</script>'|"
    panel = Panel(name, [Series(name, [1], [1], shape=0, notes=[name])], name, limits=[(1, name)])
    svg = parsed(Plot([panel], name, alt=name, spans=[(0, 1, "w", name)]))
    assert not list(svg.iter("script"))
    assert svg.get("aria-label") == name


@pytest.mark.parametrize("values", [[], [GAP], [0.0], [0.0, 0.0], [-1.0, 1.0], [1e-9, 1e12]])
@pytest.mark.parametrize("log", [False, True])
def test_any_values_are_drawn(values, log):
    text = plot_svg(Plot([Panel("a", [Series("a", list(range(len(values))), values, shape=0)], log=log)], "x"))
    assert not re.search(r"\bnan\b|\binf\b", text)


def test_the_text_for_those_who_do_not_see_it_has_the_ends_of_every_series():
    series = [Series(f"{number} tenants", [5, 50], [71.5, 861.0]) for number in range(10)]
    text = described(series, "ms")
    assert text.startswith("0 tenants: 71.5 ms at 5, 861 ms at 50; ")
    assert text.endswith("; and 2 more")
    assert described([Series("a", [1], [GAP])], "ms") == "no values"


def test_ticks_have_names_that_stay_when_the_page_places_them_again():
    plot = Plot([Panel("p", [Series("s", [1.0, 2.0], [1.0, 2.0])])], "x", x_ticks=[1.0, 2.0], names={1.0: "t1-c5", 2.0: "t1|c10"})
    assert 'data-names="t1-c5|t1/c10"' in plot_svg(plot)
    assert ">t1-c5</text>" in plot_svg(plot)
