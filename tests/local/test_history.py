# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Apache Otava on simulated series: false alarms of flat ones, and steps that are found. It is the Python of PERFSCALE_OTAVA_PYTHON."""

from __future__ import annotations

import numpy as np
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.history import Series, change_points
from fakes.simulated_comparisons import METRICS
from programs.k6 import executable

NOISE = 0.03
RUNS = 30


@pytest.fixture(name="find", scope="module")
def fixture_find():
    """Return the changes of series of noisy values around these levels, and the same levels for each."""
    random, python = np.random.default_rng(15), executable("python with apache-otava", "PERFSCALE_OTAVA_PYTHON")

    def find(levels, count):
        values = [np.array(levels) * np.exp(NOISE * random.standard_normal(len(levels))) for _series in range(count)]
        series = [Series("t1-c5", METRICS[0], "total", [], list(map(float, one))) for one in values]
        return change_points(python, [(one.values, one.noise_floor) for one in series])

    return find


def test_flat_series_have_at_most_one_alarm_in_300(find):
    assert sum(map(bool, find([100.0] * RUNS, 300))) <= 1


@pytest.mark.parametrize(
    ("before", "after"),
    [pytest.param(100.0, 110.0, id="up"), pytest.param(110.0, 100.0, id="down")],
)
def test_a_step_of_ten_percent_is_found_in_95_of_100(find, before, after):
    found = find([before] * (RUNS // 2) + [after] * (RUNS // 2), 100)
    assert sum(any(abs(place - RUNS // 2) <= 1 for place in places) for places in found) >= 95


def test_a_step_is_mostly_found_with_five_runs_after_it(find):
    found = find([100.0] * (RUNS - 5) + [110.0] * 5, 100)
    assert sum(map(bool, found)) >= 85


def test_a_step_within_the_noise_floor_is_no_change(find):
    found = find([100.0] * (RUNS // 2) + [102.0] * (RUNS // 2), 100)
    assert sum(map(bool, found)) <= 5
