# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers: every result type, what is no number, and expectations about the shape."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.response import ResponseError, Series, check_shape, name_series, read_series


@pytest.mark.parametrize(
    ("data", "points"),
    [
        pytest.param({"resultType": "scalar", "result": [5, "1.5"]}, [(5.0, 1.5)], id="scalar"),
        pytest.param({"resultType": "vector", "result": [{"metric": {"a": "b"}, "value": [5.25, "2e3"]}]}, [(5.25, 2000.0)], id="vector"),
        pytest.param({"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "1"], [2, "3"]]}]}, [(1.0, 1.0), (2.0, 3.0)], id="matrix"),
    ],
)
def test_series_are_read(data, points):
    shape, series = read_series(data, "m")
    assert shape == data["resultType"]
    assert series[0].points == points


def test_what_is_not_finite_is_set_aside():
    data = {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "NaN"], [2, "3"], [3, "+Inf"], [4, "-Inf"]]}]}
    _shape, series = read_series(data, "m")
    assert series[0].points == [(2.0, 3.0)]
    assert series[0].not_finite == ["NaN", "+Inf", "-Inf"]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param({"resultType": "string", "result": [1, "x"]}, "of type 'string'", id="string"),
        pytest.param(None, "of type None", id="nothing"),
        pytest.param({"resultType": "vector"}, "not in Prometheus' format", id="no result"),
        pytest.param({"resultType": "vector", "result": [{"metric": {}, "value": ["x"]}]}, "not in Prometheus' format", id="short"),
        pytest.param({"resultType": "scalar", "result": [1, "abc"]}, "not in Prometheus' format", id="no number"),
    ],
)
def test_other_responds_are_errors(data, problem):
    with pytest.raises(ResponseError, match=f"Metric m: .*{problem}"):
        read_series(data, "m")


SERIES = [Series({"pod": str(number)}, [(1.0, 1.0)]) for number in range(6)]


@pytest.mark.parametrize(
    ("shape", "minimum", "maximum", "count", "problem"),
    [
        pytest.param("scalar", None, None, 1, 'expected a scalar, got a vector of 1 series: {pod="0"}', id="shape"),
        pytest.param(None, 2, None, 1, 'expected at least 2 series, got 1 series: {pod="0"}', id="too few"),
        pytest.param(None, 1, None, 0, "expected at least 1 series, got no series", id="none"),
        pytest.param(None, None, 1, 2, 'expected at most 1 series, got 2 series: {pod="0"} {pod="1"}', id="too many"),
    ],
)
def test_an_unexpected_shape_names_the_series(shape, minimum, maximum, count, problem):
    with pytest.raises(ResponseError) as caught:
        check_shape("m", "vector", SERIES[:count], shape, minimum, maximum)
    assert problem in str(caught.value)


def test_an_expected_shape_passes_and_long_lists_are_cut():
    check_shape("m", "vector", SERIES, "vector", 6, 6)
    assert name_series(SERIES).endswith('{pod="3"} …')


HISTOGRAM = {"count": "5", "sum": "1.5", "buckets": [[0, "0.1", "0.2", "5"]]}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"resultType": "vector", "result": [{"metric": {"job": "a"}, "histogram": [1, HISTOGRAM]}]}, id="vector"),
        pytest.param({"resultType": "matrix", "result": [{"metric": {"job": "a"}, "histograms": [[1, HISTOGRAM]]}]}, id="matrix"),
        pytest.param({"resultType": "matrix", "result": [{"metric": {"job": "a"}, "values": [[0, "1"]], "histograms": [[1, HISTOGRAM]]}]}, id="both"),
    ],
)
def test_native_histograms_are_named(data):
    with pytest.raises(ResponseError, match=r"response has a native histogram, {job=\"a\"}\. Take a number of it in the query: histogram_quantile\(\)"):
        read_series(data, "latency")


def test_a_text_is_named():
    with pytest.raises(ResponseError, match="response is of type 'string'"):
        read_series({"resultType": "string", "result": [1, "x"]}, "latency")
