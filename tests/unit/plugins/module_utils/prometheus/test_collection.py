# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole collection: one request per entry, the wait, and failures that end it or concern one entry only."""

from __future__ import annotations

import email.utils
import time

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.collection import (
    Request,
    TemplateError,
    Window,
    WindowError,
    check,
    collect,
    names_in,
    parse_time,
    parse_window,
    promql_duration,
    remaining_wait,
    render,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import load_profile
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.response import ResponseError
from fakes.fake_prometheus import success

CPU = {"metricName": "cpu_mean", "query": "rate(cpu{ {{.selector}} }[{{.elapsed}}])", "instant": True, "field": "cpu_cores_mean", "component_label": "group"}
PEAK = {"metricName": "cpu", "query": "rate(cpu[{{.interval}}])", "field": "cpu_cores_peak", "component_label": "group"}
FREE = {"metricName": "up", "query": "up", "instant": True}
START_ONLY = success("matrix", [{"metric": {"pod": "gone"}, "values": [[1000, "111"]]}, {"metric": {"pod": "stays"}, "values": [[1000, "1"], [1020, "2"]]}])
NO_SERIES = "Metric up: returned no series. Check the query and the window, or mark the entry optional."
WINDOW = Window(1000.0, 1020.0)
VALUE = success("vector", [{"metric": {"group": "mlflow"}, "value": [20, "0.5"]}])


def request(*entries, window=WINDOW, **more):
    return Request(load_profile(list(entries)), {"mlflow": "mlflow"}, window, 1.0, **more)


@pytest.fixture(name="run")
def fixture_run(server):
    """Collect from the server with a clock that stands at second 1021; sleeping is only noted."""

    def run(request, *responses, wait_after=1.0, spacing=0.0):
        server.responses = list(responses)
        slept = []
        client = PrometheusClient(server.url, retries=0)
        return collect(request, client, wait_after, spacing, clock=lambda: 1021.0, sleep=slept.append), slept

    return run


def test_every_entry_is_queried_once(server, run):
    found, _slept = run(request(CPU, PEAK, FREE), VALUE, success("matrix", [{"metric": {"group": "mlflow"}, "values": [[1010, "0.7"]]}]), VALUE)
    assert [query["query"] for query in server.queries] == ['rate(cpu{ group="mlflow" }[20s])', "rate(cpu[4s])", "up"]
    assert server.queries[0]["time"] == "1020.000"
    assert (server.queries[1]["start"], server.queries[1]["end"], server.queries[1]["step"]) == ("1000.000", "1020.000", "1.000")
    assert found.errors == []
    assert (found.resources["mlflow"]["cpu_cores_mean"], found.resources["mlflow"]["cpu_cores_peak"]) == (0.5, 0.7)
    assert found.measurements[1].since == 1004.0


def test_the_start_costs_no_second_request(server, run):
    start = {**FREE, "captureStart": True, "shape": "vector"}
    found, _slept = run(request(start), success("matrix", [{"metric": {}, "values": [[1000, "1"], [1020, "2"]]}]))
    assert [(query["path"], query["step"]) for query in server.queries] == [("/api/v1/query_range", "20.000")]
    assert found.measurements[0].describe()["series"][0]["value"] == 2.0
    assert found.errors == []


@pytest.mark.parametrize(("wait_after", "waited"), [pytest.param(1.0, 0.0, id="over already"), pytest.param(31.0, 30.0, id="the rest")])
def test_the_wait_counts_from_the_end_of_the_window(run, wait_after, waited):
    _found, slept = run(request(FREE), VALUE, wait_after=wait_after)
    assert slept == [waited]


def test_a_count_of_the_whole_load_waits_for_a_scrape_after_it(server, run):
    counted = {"metricName": "served", "query": "x @ {{.load_end}} - x @ {{.load_start}}", "instant": True, "optional": True}
    _found, slept = run(request(counted, load=Window(990.5, 1022.25)), success("vector", []))
    assert server.queries[0]["query"] == "x @ 1023.250 - x @ 990.500"
    assert slept == [pytest.approx(2.25)]
    _found, slept = run(request(counted), success("vector", []))
    assert server.queries[1]["query"] == "x @ 1021.000 - x @ 1000.000"
    assert slept == [0.0]


def test_queries_can_be_spaced(run):
    _found, slept = run(request(CPU, FREE, {**FREE, "metricName": "again"}), VALUE, spacing=2.5)
    assert slept == [0.0, 2.5, 2.5]


def test_one_request_may_fill_several_fields(server, run):
    both = {
        "metricName": "states", "query": 'time() > {{.fresh_s}} or kills{ {{.selector}} }', "instant": True, "fields": ["restarts", "oom_kills"],
        "field_label": "figure", "selector_labels": ["group"], "component_label": "group", "optional": True,
    }  # fmt: skip
    found, _slept = run(request(CPU, both), VALUE, success("vector", [{"metric": {"group": "mlflow", "figure": "restarts"}, "value": [20, "2"]}]))
    assert [query["query"] for query in server.queries][1] == 'time() > 2.5 or kills{ group="mlflow" }'
    assert [measurement.entry.metric for measurement in found.measurements] == ["cpu_mean", "restarts", "oom_kills"]
    assert (found.resources["mlflow"]["restarts"], found.resources["mlflow"]["oom_kills"]) == (2.0, None)
    assert found.warnings == ["Optional metrics without samples: oom_kills. Their figures are null."]


def test_a_rejected_request_ends_the_collection_and_returns_all_entries(server, run):
    found, _slept = run(request(CPU, PEAK, FREE), VALUE, (401, ""))
    assert len(server.queries) == 2
    assert len(found.errors) == 1
    assert [measurement.entry.metric for measurement in found.measurements] == ["cpu_mean", "cpu", "up"]
    assert (found.resources["mlflow"]["status"], found.resources["mlflow"]["cpu_cores_mean"]) == ("missing", 0.5)


def test_a_bad_query_concerns_its_entry_only(run):
    found, _slept = run(request(FREE, CPU), (400, '{"status": "error", "errorType": "bad_data", "error": "oh"}'), VALUE)
    assert found.errors == ["Metric up: Prometheus says bad_data: oh. Correct the query."]
    assert found.resources["mlflow"]["cpu_cores_mean"] == 0.5


def test_a_bad_optional_query_is_a_warning(run):
    found, _slept = run(request({**FREE, "optional": True}, CPU), (400, '{"status": "error", "error": "oh"}'), VALUE)
    assert (found.errors, found.warnings) == ([], ["Metric up: Prometheus says error: oh. Correct the query."])


@pytest.mark.parametrize(
    ("optional", "errors"),
    [
        pytest.param(False, [NO_SERIES], id="required"),
        pytest.param(True, [], id="optional"),
    ],
)
def test_an_empty_response_is_an_error_unless_optional(run, optional, errors):
    found, _slept = run(request({**FREE, "optional": optional}), success("vector", []))
    assert found.errors == errors


@pytest.mark.parametrize(
    ("response", "warning"),
    [
        pytest.param(success("vector", []), "Metric up: returned no series. Its figures are missing.", id="nothing"),
        pytest.param(success("vector", [{"metric": {}, "value": [1020, "NaN"]}]), "Metric up: is NaN, not a number. Its figures are missing.", id="NaN"),
    ],
)
def test_an_empty_response_of_a_profile_of_kube_burner_is_a_warning(run, response, warning):
    found, _slept = run(request(FREE), response)
    assert (found.errors, found.warnings) == ([], [warning])


@pytest.mark.parametrize(("more", "is_error"), [({}, False), ({"optional": False}, True), ({"optional": True}, False)])
def test_an_empty_query_is_left_out(server, run, more, is_error):
    found, _slept = run(request({**FREE, "query": "", **more}, {**FREE, "metricName": "b"}), VALUE)
    sentences = ["Metric up: its query is empty. Write a query, or remove the entry."]
    assert (found.errors, found.warnings) == ((sentences, []) if is_error else ([], sentences))
    assert [measurement.describe()["status"] for measurement in found.measurements] == ["missing", "ok"]
    assert len(server.queries) == 1


def test_the_start_never_stands_for_the_end(run):
    entry = {"metricName": "pods", "query": "kube_pod_info", "instant": True, "captureStart": True}
    found, _slept = run(request(entry), START_ONLY)
    (described,) = [measurement.describe() for measurement in found.measurements]
    numbers = [{key: series[key] for key in ("start", "value") if key in series} for series in described["series"]]
    assert numbers == [{"start": 111.0}, {"start": 1.0, "value": 2.0}]
    assert described["status"] == "ok"
    gone = success("matrix", [{"metric": {"pod": "gone"}, "values": [[1000, "111"], [1020, "NaN"]]}])
    found, _slept = run(request({**entry, "optional": False}), gone)
    assert found.measurements[0].describe()["status"] == "missing"
    assert found.errors == ["Metric pods: is NaN, not a number. Check the query and the window, or mark the entry optional."]


def test_a_figure_of_the_start_does_not_fill_a_component(run):
    entry = {**CPU, "captureStart": True}
    found, _slept = run(request(entry), success("matrix", [{"metric": {"group": "mlflow"}, "values": [[1000, "0.5"]]}]))
    assert found.resources["mlflow"]["cpu_cores_mean"] is None
    assert found.resources["mlflow"]["status"] == "missing"
    assert found.errors


def test_entries_of_one_metric_name_have_their_own_results(server, run):
    """As in kube-burner-ocp's etcd-density-metrics-hcp.yml: the curve and the value at both ends."""
    found, _slept = run(
        request({"metricName": "rss", "query": "a"}, {"metricName": "rss", "query": "b", "instant": True, "captureStart": True}),
        success("matrix", [{"metric": {}, "values": [[1000, "1"], [1020, "2"]]}]),
    )
    assert [query["query"] for query in server.queries] == ["a", "b"]
    assert [(one.query, one.entry.instant) for one in found.measurements] == [("a", False), ("b", True)]
    assert found.errors == []


def test_a_clock_a_minute_off_is_flagged(server, run):
    found, _slept = run(request(FREE), (*VALUE, {"Date": email.utils.formatdate(time.time() + 60, usegmt=True)}))
    assert len(found.warnings) == 1
    assert "s ahead of ours, which shifts the window" in found.warnings[0]


def test_variables_of_the_user_are_rendered(server, run):
    run(request({**FREE, "query": 'up{job="{{.job}}"}'}, variables={"job": "x"}), VALUE)
    assert server.queries[0]["query"] == 'up{job="x"}'


def test_a_bad_profile_is_found_before_anything_is_sent(server, run):
    with pytest.raises(TemplateError, match=r"Metric wrong: its query uses \{\{\.nothing\}\}"):
        run(request(FREE, {**FREE, "metricName": "wrong", "query": "{{.nothing}}"}), VALUE)
    assert server.queries == []


def test_components_are_needed_where_a_query_selects_them():
    with pytest.raises(TemplateError, match="Metric cpu_mean: its query selects components, and none is given"):
        check(Request(load_profile([CPU]), {}, Window(0.0, 20.0), 1.0))


def test_a_step_too_fine_for_the_window_is_an_error():
    with pytest.raises(ResponseError, match="Step 1 s: more than 11000 points per series in a window of 36000 s"):
        check(request(FREE, window=Window(0.0, 36000.0), step=1.0))


@pytest.mark.parametrize(("seconds", "step"), [(20, 1.0), (11_000, 1.0), (36_000, 4)])
def test_long_windows_have_a_coarser_step(seconds, step):
    long = request(FREE, window=Window(0.0, float(seconds)))
    assert long.step_s == step
    check(long)


@pytest.mark.parametrize("query", ["x[{{.elapsed}}:]", "x[{{ .elapsed }}:]", "x[{{- .elapsed -}}:]"])
def test_kube_burners_notation_is_rendered(query):
    assert render(query, {"elapsed": "20s"}, "m") == "x[20s:]"
    assert names_in(query) == {"elapsed"}


def test_braces_of_selectors_are_preserved():
    assert render('a{b="{{.c}}",d=~"x{2}"}', {"c": "1"}, "m") == 'a{b="1",d=~"x{2}"}'


@pytest.mark.parametrize("query", ["{{.other}}", "{{ if .elapsed }}", '{{ env "HOME" }}', "{{}}"])
def test_what_cannot_be_rendered_is_named_with_what_can(query):
    with pytest.raises(TemplateError, match=r"Metric m: its query uses .* one of \{\{\.elapsed\}\}, \{\{\.step\}\}\."):
        render(query, {"step": "1s", "elapsed": "20s"}, "m")


@pytest.mark.parametrize(("seconds", "text"), [(20, "20s"), (20.5, "20500ms"), (3600.0, "3600s"), (0.25, "250ms"), (25.2287, "25229ms")])
def test_durations_are_promql(seconds, text):
    assert promql_duration(seconds) == text


@pytest.fixture(autouse=True)
def fixture_zone(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Prague")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "text",
    ["1795457496", 1795457496, 1795457496.0, "2026-11-23T18:11:36Z", "2026-11-23 18:11:36+00:00", "2026-11-23T19:11:36", "2026-11-23 19:11:36"],
)
def test_a_time_is_written_in_many_ways(text):
    assert parse_time(text, "start") == 1795457496.0


@pytest.mark.parametrize("text", ["", "now", "yesterday", "2026-13-01", "nan", "inf", "-5", "0", True, None, "18:11:36"])
def test_other_texts_are_no_time(text):
    with pytest.raises(WindowError, match=r"Window start .*: not a time"):
        parse_time(text, "start")


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [
        pytest.param(200, 100, "ends before it starts", id="reversed"),
        pytest.param(100, 100, "or is empty", id="empty"),
        pytest.param(100, 1060, "ends 60 s in the future", id="future"),
    ],
)
def test_windows_that_cannot_be_measured(start, end, problem):
    with pytest.raises(WindowError, match=problem):
        parse_window(start, end, now=1000)


@pytest.mark.parametrize(
    ("value", "unit"),
    [("1763900000123", "milliseconds"), (1763900000123456, "microseconds"), ("1763900000123456789", "nanoseconds"), (1763900000123.0, "milliseconds")],
)
def test_times_in_another_unit_are_named(value, unit):
    with pytest.raises(WindowError, match=rf"^Window start {value}: too large for epoch seconds, probably {unit}.*Write 1763900000\.123\.$"):
        parse_window(value, "2025-11-23T12:30:00Z", now=1763900700)


def test_a_window_that_ended_just_now_is_over():
    window = parse_window(100, "1000.4", now=1000)
    assert window == Window(100, 1000.4)
    assert window.seconds == pytest.approx(900.4)


@pytest.mark.parametrize(("now", "wait"), [pytest.param(100, 30, id="at its end"), pytest.param(120, 10, id="later"), pytest.param(200, 0, id="long ago")])
def test_only_the_remaining_time_is_waited(now, wait):
    assert remaining_wait(Window(0, 100), 30, now) == wait
