# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of cells as probes: what holds, what fails, and what says nothing about the server."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.probe import probe_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.search import BACKLOG, FAILS, HOLDS, INVALID

OBJECTIVES = [
    {"name": "fast", "select": "total", "metric": "p95_ms", "max": 2000},
    {"name": "errors", "select": "total", "metric": "error_ratio", "max": 0.01},
]


def test_a_probe_has_what_the_search_reads(record):
    probe = probe_of(record(load=2), "rate", OBJECTIVES)
    assert (probe.verdict, probe.load, probe.requests, probe.journeys, probe.values["fast"]) == (HOLDS, 2, 50, 60, 100)
    assert probe.unfinished == pytest.approx(1 / 60)


@pytest.mark.parametrize(
    ("changes", "verdict", "missed", "why"),
    [
        pytest.param({"p95": 3000.0}, FAILS, ("fast",), "total.p95_ms 3000, limit <= 2000", id="slow"),
        pytest.param({"failed": 300}, FAILS, ("errors",), "total.error_ratio 0.1, limit <= 0.01", id="errors"),
        pytest.param({"status": "invalid"}, INVALID, (), "generator_cpu_share: 0.9.", id="generator"),
        pytest.param({"offered": {"dropped_share": 0.2, "limited_by": "server"}}, FAILS, (BACKLOG,), "20.0 % of the arrivals", id="drops of the server"),
        pytest.param({"stopped_after_s": 17.0, "p95": 9000.0}, FAILS, ("fast", BACKLOG), "hopeless, and stopped after 17 s of load: total", id="hopeless"),
        pytest.param({"p95": None}, HOLDS, (), "", id="few samples"),
    ],
)
def test_verdicts(record, changes, verdict, missed, why):
    probe = probe_of(record(**changes), "rate", OBJECTIVES)
    assert (probe.verdict, probe.missed) == (verdict, missed)
    assert probe.why.startswith(why)


def test_a_probe_with_few_samples_is_judged_by_its_maximum(record):
    few = record(p95=None)
    few["total"]["latency_ms"]["max"] = 2500.0
    assert probe_of(few, "rate", OBJECTIVES).verdict == FAILS


def test_only_of_a_rate_is_it_known_what_was_offered(record):
    assert not probe_of(record(), "tenants", OBJECTIVES).is_open
