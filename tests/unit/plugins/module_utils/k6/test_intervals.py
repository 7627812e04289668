# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `ci95` of total, operations and journeys, from rows of k6 to the result of an attempt."""

from __future__ import annotations

import json
import random

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from fakes.k6_raw_rows import HEADER, journey, request

START_MS = 1_800_000_000_000
SECONDS = 60


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Of a minute with 50 requests per second: get_run with a mean of 20 ms, of which 2 % fail, and create_run of 40 ms; a journey ends each second."""
    directory, chance = tmp_path_factory.mktemp("attempt"), random.Random(1)
    rows = []
    for number in range(50 * SECONDS):
        end, is_read = START_MS + 20 * number + 1, number % 2 == 0
        status = 500 if is_read and chance.random() < 0.02 else 200
        rows.append(request(end, chance.expovariate(1 / (20 if is_read else 40)), None, "get_run" if is_read else "create_run", status=status))
        if number % 50 == 49:
            rows.append(journey(end, 900.0))
    (directory / "raw.csv").write_text(HEADER + "".join(rows))
    window = (START_MS / 1000, START_MS / 1000 + SECONDS)
    return build_result(Attempt(directory, directory / "kept", window=window, exit_code=0))["result"]


@pytest.mark.parametrize(
    ("name", "number", "truth"),
    [
        pytest.param("total", "rate_per_s", 50, id="rate"),
        pytest.param("total", "goodput_per_s", 49.5, id="goodput"),
        pytest.param("total", "mean", 30, id="mean"),
        pytest.param("get_run", "mean", 20, id="mean of an operation"),
        pytest.param("get_run", "ok_mean", 20, id="mean of its successes"),
        pytest.param("create_run", "p95", 119.8, id="P95 of an operation"),
        pytest.param("create_run", "p50", 27.7, id="P50 of an operation"),
    ],
)
def test_the_interval_contains_what_was_programmed(result, name, number, truth):
    low, high = {"total": result["total"], **result["operations"]}[name]["ci95"][number]
    assert low <= truth <= high


def test_the_interval_contains_the_reported_number(result):
    for block in (result["total"], *result["operations"].values(), *result["categories"].values()):
        for number in ("mean", "p50", "p95"):
            bounds = block["ci95"][number]
            assert bounds is None or bounds[0] <= block["latency_ms"][number] <= bounds[1]


def test_without_failures_there_is_nothing_apart_for_successes(result):
    assert not any(number.startswith("ok_") for number in result["operations"]["create_run"]["ci95"])


@pytest.mark.parametrize("number", ["rate_per_s", "mean", "p95"])
def test_an_operation_without_samples_has_reasons(result, number):
    ci95 = result["operations"]["log_artifact"]["ci95"]
    assert (ci95[number], ci95["suppressed"][number].split(":")[0]) == (None, "n=0")


def test_journeys_are_too_few_for_intervals(result):
    assert result["journeys"]["browsing"]["ci95"]["suppressed"]["mean"] == "n=60: 200 are needed"


def test_the_result_is_json(result):
    json.dumps(result, allow_nan=False)
