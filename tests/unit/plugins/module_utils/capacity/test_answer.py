# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer of a search in a sentence."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.answer import answer_of, console_line
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.crossing import Crossing
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.probe import probe_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.search import BACKLOG, Decision, judge
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.settings import search_inputs

OBJECTIVES = [
    {"name": "fast", "select": "total", "metric": "p95_ms", "max": 2000},
    {"name": "errors", "select": "total", "metric": "error_ratio", "max": 0.01},
]
SEARCH = search_inputs({}, OBJECTIVES)["search"]


def answer(records, decision):
    """Return the answer of a search with these records."""
    known = {record["id"]: record for record in records}
    probes = [probe_of(record, "rate", OBJECTIVES) for record in records]
    return answer_of(SEARCH, decision, probes, judge(probes), known)


def test_the_answer_names_load_limits_operation_and_cause(record):
    records = [record(2), record(3, cpu=0.8), record(4, p95=3000.0, cpu=0.98, slow="search_prompts")]
    found = answer(records, Decision(None, "answered", "", Crossing(3.2, 3.1, 3.4, 9, "fit"), "fast"))
    assert found["sentence"] == (
        "This MLflow (1 worker, PostgreSQL) carries 3.1 to 3.4 journeys/s (155 to 170 requests/s) of 80/20 load over 10 tenants with P95 <= 2 s and "
        "errors <= 1 %; beyond that search_prompts breaks first; MLflow's worker is at 98 % of a core."
    )
    assert (found["shown"], found["breaks"]["at"], found["breaks"]["below"]) == ({"holds": 3, "fails": 4}, "t10-q4-r1", "t10-q3-r1")


def test_a_backlog_is_named(record):
    slow = record(4)
    slow["total"]["rate_per_s"] = 150.0
    found = answer([record(2), record(3), slow], Decision(None, "answered", "", Crossing(3.2, 3.1, 3.4, 9, "saturation"), BACKLOG))
    assert "beyond that a queue grows with time" in found["sentence"]
    assert found["probes"][2]["why"] == "the server did 75 % of the requests of the journeys that came"


@pytest.mark.parametrize(
    ("loads", "status", "text"),
    [
        pytest.param({0.1: 3000.0}, "below", "does not even carry 0.1 journeys/s of 80/20 load over 10 tenants with P95", id="below"),
        pytest.param({1000: 100.0}, "above", "carries at least 1000 journeys/s", id="above"),
        pytest.param({2: 100.0}, "invalid", "The generator or the machine ends before the server: This MLflow", id="invalid"),
        pytest.param({2: 100.0}, "exhausted", "No limit was found with 20 probes: This MLflow (1 worker, PostgreSQL) holds up to 2", id="exhausted"),
    ],
)
def test_ends_without_a_limit(record, loads, status, text):
    assert text in answer([record(load, p95=p95) for load, p95 in loads.items()], Decision(None, status, "why"))["sentence"]


def test_probes_on_both_sides_that_end_invalid_say_what_is_known(record):
    loads = {1: 100.0, 1.19: 100.0, 0.9: 3000.0, 1.41: 3000.0, 2: 3000.0}
    found = answer([record(load, p95=p95) for load, p95 in loads.items()], Decision(None, "invalid", "busy"))
    assert found["sentence"] == "Probes stay invalid (busy); every one from 1.41 journeys/s on failed."
    assert (found["breaks"]["at"], found["breaks"]["below"]) == ("t10-q1.41-r1", "t10-q1-r1")


def test_below_names_the_figures(record):
    assert "total.p95_ms 3000, limit <= 2000" in answer([record(0.1, p95=3000.0)], Decision(None, "below", ""))["sentence"]


def test_before_the_end_the_status_is_searching(record):
    assert answer([record(2)], Decision(4, "bracket", ""))["status"] == "searching"


def test_the_console_line_names_the_next_load_and_what_is_known(record):
    probes = [probe_of(record(2), "rate", OBJECTIVES)]
    line = console_line(SEARCH, Decision(4, "bracket", "to find a load that fails"), probes, 7)
    assert line == "Probe 7 (at most 20): 4 journeys/s, to find a load that fails; every probe up to 2 journeys/s held"


def test_the_console_line_of_the_first_probe_knows_nothing():
    assert console_line(SEARCH, Decision(1, "bracket", "to find a load that fails"), [], 1).endswith("to find a load that fails; nothing is known yet")
