# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""timeline.csv, and what is said about loads whose course was programmed."""

from __future__ import annotations

import csv
import random
import sys

import numpy as np
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.timeline import Timeline, steadiness
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.axes import WINDOW_MIN_S
from fakes.k6_raw_rows import HEADER, request
from fakes.simulated_latencies import autocorrelated

START_MS = 1_800_000_000_000
WARMUP_S, WINDOW_S = 5, 60


def load(tmp_path, latency_ms, rate=lambda _second: 40, status=lambda _second: 200):
    """Return the result of a load whose latency (ms), requests per second and status are functions of the second; the window begins at second 0."""
    chance, rows = random.Random(1), []
    for second in range(-WARMUP_S, WINDOW_S):
        count = rate(second)
        for number in range(count):
            duration = latency_ms(second) * chance.lognormvariate(0, 0.3)
            rows.append(request(START_MS + second * 1000 + 2 + number * 1000 // count + int(duration), duration, None, status=status(second)))
    (tmp_path / "raw.csv").write_text(HEADER + "".join(rows))
    window = (START_MS / 1000, START_MS / 1000 + WINDOW_S)
    return build_result(Attempt(tmp_path, tmp_path / "kept", window=window, exit_code=0))["result"]


def test_a_steady_load_has_no_findings(tmp_path):
    steadiness = load(tmp_path, lambda _second: 20)["steadiness"]
    assert steadiness["findings"] == []
    assert steadiness["warmup_declared_s"] == pytest.approx(WARMUP_S, abs=0.01)
    assert steadiness["p95_change_ci95"][0] < 0 < steadiness["p95_change_ci95"][1]


@pytest.mark.no_cover
@pytest.mark.parametrize(("seconds", "rate", "correlation"), [(35, 20, 0), (35, 40, 0.5), (90, 40, 0.5)])
def test_a_steady_load_rarely_has_a_finding(seconds, rate, correlation):
    chance, found, loads = np.random.default_rng(1), 0, 200
    for _load in range(loads):
        ends = np.sort(chance.uniform(-WARMUP_S, seconds, chance.poisson(rate * (seconds + WARMUP_S))))
        latencies = 20 * np.exp(0.5 * autocorrelated(len(ends), correlation, chance))
        part = (ends, latencies, np.zeros(len(ends), dtype=bool))
        found += bool(steadiness(Timeline(lambda part=part: iter([part]), -WARMUP_S, float(ends[-1]), seconds))["findings"])
    assert found / loads <= 0.1


def test_a_warm_up_that_ends_in_time_is_no_finding(tmp_path):
    steadiness = load(tmp_path, lambda second: 80 if second < -2 else 20)["steadiness"]
    assert steadiness["warmup_ended_s"] == pytest.approx(3, abs=1)
    assert steadiness["findings"] == []


def test_a_warm_up_that_reaches_into_the_window_is_named_with_its_numbers(tmp_path):
    steadiness = load(tmp_path, lambda second: 80 if second < 15 else 20)["steadiness"]
    assert steadiness["warmup_ended_s"] == pytest.approx(20, abs=1)
    [finding] = steadiness["findings"]
    assert finding.startswith("warm-up lasted 15 s into the window (7")


def test_a_drift_of_latency_is_named_with_its_size(tmp_path):
    steadiness = load(tmp_path, lambda second: 20 * 1.01 ** max(0, second))["steadiness"]
    assert steadiness["p95_change"] == pytest.approx(1.01**WINDOW_S - 1, abs=0.3)
    assert any(finding.startswith("P95 rose by ") for finding in steadiness["findings"])


def test_falling_throughput_is_named(tmp_path):
    steadiness = load(tmp_path, lambda _second: 20, rate=lambda second: 60 - max(0, second) // 2)["steadiness"]
    assert any(finding.startswith("throughput fell by ") for finding in steadiness["findings"])


def test_the_shortest_window_that_a_matrix_may_have_has_trends(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "WINDOW_S", WINDOW_MIN_S)
    steadiness = load(tmp_path, lambda _second: 20, rate=lambda _second: 60)["steadiness"]
    assert None not in (steadiness["p95_change"], steadiness["throughput_change"])


def test_a_load_too_small_for_a_trend_has_none(tmp_path):
    steadiness = load(tmp_path, lambda _second: 20, rate=lambda _second: 1)["steadiness"]
    assert (steadiness["p95_change"], steadiness["p95_change_ci95"]) == (None, None)


def test_the_timeline_has_every_second(tmp_path):
    load(tmp_path, lambda _second: 20, rate=lambda second: 0 if 10 <= second < 15 else 40, status=lambda second: 503 if second == 20 else 200)
    rows = {int(row["second"]): row for row in csv.DictReader((tmp_path / "kept" / "timeline.csv").open())}
    assert sorted(rows) == list(range(-WARMUP_S, WINDOW_S + 1))
    assert {rows[second]["phase"] for second in range(-WARMUP_S, 0)} == {"warmup"}
    assert rows[12] == {"second": "12", "phase": "window", "completed": "0", "failed": "0", "p50_ms": "", "p95_ms": ""}
    assert int(rows[20]["failed"]) == pytest.approx(40, abs=2)
    assert float(rows[30]["p50_ms"]) == pytest.approx(20, rel=0.2)
    assert sum(int(row["completed"]) for row in rows.values()) == 40 * (WARMUP_S + WINDOW_S - 5)
    assert rows[WINDOW_S]["phase"] == "tail"
