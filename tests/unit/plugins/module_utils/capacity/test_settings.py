# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inputs of a search: what follows from them, and one sentence for each that cannot be used."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.settings import hopeless, search_inputs, settings_of, time_bounds
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.axes import MatrixError

SLOW = {"name": "fast", "select": "total", "metric": "p95_ms", "max": 2000, "severity": "error"}
ERRORS = {"name": "errors", "select": "total", "metric": "error_ratio", "max": 0.01}
WARNING = {**SLOW, "severity": "warning"}


def test_a_rate_is_searched_with_an_open_load():
    found = search_inputs({"axis": "rate", "tenants": "100"}, [SLOW, ERRORS])
    assert found["overrides"] == {"tenants": ["100"], "rate": 1, "profile": "open", "repeats": 1, "order": "declared"}


def test_users_are_searched_with_a_closed_load():
    assert search_inputs({"axis": "concurrency"}, [SLOW])["overrides"]["profile"] == "closed"


@pytest.mark.parametrize(("given", "profile"), [({"concurrency": 10}, "closed"), ({"rate": 2}, "open"), ({}, "open")])
def test_tenants_are_searched_with_the_load_that_was_given(given, profile):
    assert search_inputs({"axis": "tenants", **given}, [SLOW])["overrides"]["profile"] == profile


def test_only_latencies_with_an_upper_limit_are_fitted():
    assert search_inputs({}, [SLOW, ERRORS])["search"]["limits"] == {"fast": 2000.0}


def test_objectives_of_severity_error_decide():
    assert search_inputs({}, [WARNING, ERRORS])["objectives"] == [ERRORS]


def test_the_settings_come_back_from_the_plan():
    settings = settings_of(search_inputs({"start": 3, "probes_max": 30}, [SLOW])["search"])
    assert (settings.start, settings.probes_max, settings.resolution) == (3, 30, 0.1)


@pytest.mark.parametrize(
    ("inputs", "objectives", "sentence"),
    [
        pytest.param({}, [WARNING], "none has the severity error", id="no objective of severity error"),
        pytest.param({}, [{**SLOW, "select": "delete_run"}], "delete_run is no operation of the load. Select one of total, ", id="unknown operation"),
        pytest.param({}, [{**SLOW, "metric": "p94_ms"}], "metric p94_ms is not measured. Use one of ", id="unknown metric"),
        pytest.param({}, [{**SLOW, "min": 1}], "needs one limit. Give either max or min.", id="two limits"),
        pytest.param({"axis": "users"}, [SLOW], "Capacity axis users: is unknown. Allowed: rate, concurrency, tenants.", id="unknown axis"),
        pytest.param({"rate": 3}, [SLOW], "Axis rate: is the one that is searched (capacity_axis)", id="axis given twice"),
        pytest.param({"concurrency": 3}, [SLOW], "Axis concurrency: contradicts capacity_axis rate", id="contrary axis"),
        pytest.param({"axis": "tenants", "rate": 1, "concurrency": 3}, [SLOW], "a load is either open or closed", id="both loads"),
        pytest.param({"tenants": "1,10"}, [SLOW], "Axis tenants: has 2 values, and a search varies rate alone.", id="two values"),
        pytest.param({"start": 50, "maximum": 20}, [SLOW], "Capacity start 50: is not between the lowest load 0.1 and the highest 20", id="start above"),
        pytest.param({"start": "fast"}, [SLOW], "Setting capacity_start: 'fast' is not allowed.", id="no number"),
        pytest.param({"minimum": -1}, [SLOW], "Setting capacity_min: -1 is not allowed.", id="negative"),
        pytest.param({"resolution": 3}, [SLOW], "Capacity resolution 3: is not allowed.", id="resolution"),
        pytest.param({"probes_max": 4}, [SLOW], "Capacity probes 4: are too few. Give more than 8", id="few probes"),
    ],
)
def test_what_cannot_be_used_is_named(inputs, objectives, sentence):
    with pytest.raises(MatrixError) as caught:
        search_inputs(inputs, objectives)
    assert sentence in str(caught.value)


def test_all_problems_are_named_at_once():
    with pytest.raises(MatrixError) as caught:
        search_inputs({"rate": 3, "resolution": 3}, [WARNING])
    assert len(caught.value.problems) == 3


def test_a_probe_is_hopeless_far_beyond_the_strictest_limit():
    assert hopeless([SLOW, {**SLOW, "max": 500}, ERRORS])["p95_ms"] == 2000


def test_without_a_latency_only_failures_and_backlog_are_hopeless():
    assert hopeless([ERRORS])["p95_ms"] is None


def test_the_bounds_on_time_are_a_sentence():
    search = search_inputs({}, [SLOW])["search"]
    assert time_bounds(search, 35, 5) == (
        "Search of the highest rate from 1 journeys/s on: 5 min 20 s to 13 min 20 s (at most 20 probes of 35 s each), and the prefill."
    )
