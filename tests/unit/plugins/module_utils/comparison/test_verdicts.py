# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts of numbers whose truth is known, and how often they are wrong in simulated suites."""

from __future__ import annotations

import numpy as np
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.metrics import FAMILIES, Metric, Value
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.verdicts import (
    FASTER,
    SAME,
    SLOWER,
    UNDECIDED,
    Row,
    adjusted_p,
    judge,
    overall,
    power,
)
from fakes.simulated_comparisons import simulated_suite

P95 = Metric("total", "p95_ms", "lower", "ratio", "error")
GOODPUT = Metric("total", "goodput_per_s", "higher", "ratio", "error")
ERRORS = Metric("total", "error_ratio", "lower", "difference", "error", 0.005)
TOLERANCE = 0.05
SUITES = 1000
STEADY = (100.0, 101.0, 99.0)


def row(metric, baseline, candidate, n=0, point="t1-c5"):
    return Row(point, metric, "total", *([Value(value, n) for value in side] for side in (baseline, candidate)))


def scaled(factor, values=STEADY):
    return [factor * value for value in values]


@pytest.mark.parametrize(
    ("metric", "factor", "verdict"),
    [
        pytest.param(P95, 1.5, SLOWER, id="latency up"),
        pytest.param(P95, 0.7, FASTER, id="latency down"),
        pytest.param(GOODPUT, 1.5, FASTER, id="throughput up"),
        pytest.param(GOODPUT, 0.7, SLOWER, id="throughput down"),
        pytest.param(P95, 1.01, SAME, id="within the tolerance"),
        pytest.param(P95, 1.05, SLOWER, id="interval over the edge of the tolerance, significant"),
    ],
)
def test_a_verdict_follows_the_direction_of_the_number(metric, factor, verdict):
    [found] = judge([row(metric, STEADY, scaled(factor))], TOLERANCE)
    assert found.verdict == verdict


def test_a_significant_change_within_the_tolerance_is_the_same():
    [found] = judge([row(P95, (100.0, 100.1, 99.9), (101.0, 101.1, 100.9))], TOLERANCE)
    assert found.verdict == SAME
    assert found.p < 0.01


def test_the_interval_is_that_of_students_t_on_logarithms():
    # The deviation of log(99), log(100), log(101) is 0.0100006 on both sides, t with 4 degrees of freedom 2.776445.
    [found] = judge([row(P95, STEADY, scaled(1.1))], TOLERANCE)
    half = np.log(found.interval[1] / found.change)
    assert found.change == pytest.approx(1.1)
    assert half == pytest.approx(2.776445 * 0.0100006 * np.sqrt(2 / 3), rel=1e-3)


def test_the_variance_is_pooled_over_the_points_of_a_number():
    noisy = row(P95, (80.0, 100.0, 125.0), (80.0, 100.0, 125.0), point="t10-c5")
    alone, [pooled, _other] = judge([row(P95, STEADY, scaled(1.1))], TOLERANCE), judge([row(P95, STEADY, scaled(1.1)), noisy], TOLERANCE)
    assert alone[0].verdict == SLOWER
    assert pooled.verdict == UNDECIDED


def seeded(metric, baseline, candidate, point="t1-c5"):
    """A row whose values have the seeds by which they are given."""
    return Row(point, metric, "total", *([Value(value, 0, seed) for seed, value in side] for side in (baseline, candidate)))


def test_repeats_with_the_same_seeds_are_compared_within_them():
    # The draw of the journeys changes a number by half; within each seed the candidate is 10 % slower, give or take 1 %.
    [found] = judge([seeded(P95, [(1, 100.0), (2, 150.0), (3, 70.0)], [(3, 77.7), (1, 110.0), (2, 163.4)])], TOLERANCE)
    [apart] = judge([row(P95, (100.0, 150.0, 70.0), (77.7, 110.0, 163.4))], TOLERANCE)
    changes = np.log([1.1, 163.4 / 150, 1.11])
    assert found.change == pytest.approx(np.exp(changes.mean()))
    # That of a paired t-test: t with 2 degrees of freedom is 4.302653.
    assert np.log(found.interval[1] / found.change) == pytest.approx(4.302653 * changes.std(ddof=1) / np.sqrt(3))
    assert (found.verdict, apart.verdict) == (SLOWER, UNDECIDED)


def test_two_of_three_pairs_are_enough():
    baseline, candidate = [(1, 100.0), (2, 150.0), (4, 90.0)], [(1, 110.0), (2, 163.4), (3, 77.7)]
    [found] = judge([seeded(P95, baseline, candidate)], TOLERANCE)
    assert found.change == pytest.approx(np.exp(np.log([1.1, 163.4 / 150]).mean()))


def test_a_repeat_without_its_pair_says_nothing_about_the_change():
    pairs = [(1, 100.0), (2, 150.0), (3, 70.0)], [(1, 110.0), (2, 163.4), (3, 77.7)]
    [found], [more] = judge([seeded(P95, *pairs)], TOLERANCE), judge([seeded(P95, pairs[0], [*pairs[1], (3, 77.7)])], TOLERANCE)
    [single] = judge([seeded(P95, [*pairs[0], (4, 900.0)], pairs[1])], TOLERANCE)
    assert single.change == pytest.approx(found.change)
    assert single.interval == pytest.approx(found.interval)
    # A second repeat of a seed counts.
    assert more.interval != pytest.approx(found.interval)


@pytest.mark.parametrize(
    "candidate",
    [pytest.param([(4, 110.0), (5, 163.4), (6, 77.7)], id="other seeds"), pytest.param([(3, 110.0), (4, 163.4), (5, 77.7)], id="one seed in common")],
)
def test_sides_with_different_seeds_are_compared_as_groups(candidate):
    baseline = [(1, 100.0), (2, 150.0), (3, 70.0)]
    groups = row(P95, *([value for _seed, value in side] for side in (baseline, candidate)))
    [found], [plain] = judge([seeded(P95, baseline, candidate)], TOLERANCE), judge([groups], TOLERANCE)
    assert found.interval == pytest.approx(plain.interval)


def test_few_repeats_are_undecided_with_the_plain_change():
    [found] = judge([row(P95, (100.0, 102.0), (200.0, 204.0, 196.0))], TOLERANCE)
    assert (found.verdict, found.interval, found.p) == (UNDECIDED, None, None)
    assert found.change == pytest.approx(200 / 101)
    assert found.reason == "fewer than 3 repeats on a side"


@pytest.mark.parametrize(
    ("baseline", "candidate", "reason"),
    [
        pytest.param((1.0, 0.0, 1.0), (1.0, 1.0, 1.0), "a value is 0", id="no logarithm"),
        pytest.param((), (1.0, 1.0, 1.0), "one side has no value", id="a side without values"),
    ],
)
def test_what_cannot_be_tested_has_a_reason(baseline, candidate, reason):
    [found] = judge([row(GOODPUT, baseline, candidate)], TOLERANCE)
    assert (found.verdict, found.reason) == (UNDECIDED, reason)


def test_undecided_says_how_many_repeats_would_decide():
    rows = [row(P95, (90.0, 100.0, 110.0), (95.0, 112.0, 118.0))]
    [found] = judge(rows, TOLERANCE)
    more = judge([row(P95, (90.0, 100.0, 110.0) * 7, (95.0, 112.0, 118.0) * 7)], TOLERANCE)
    assert found.verdict == UNDECIDED
    assert 3 < found.repeats_needed <= 21
    assert more[0].verdict == SLOWER


def test_a_change_at_the_edge_of_the_tolerance_with_much_noise_needs_too_many_repeats():
    [found] = judge([row(P95, (50.0, 100.0, 200.0), (51.0, 102.0, 204.0))], TOLERANCE)
    assert (found.verdict, found.repeats_needed) == (UNDECIDED, None)


@pytest.mark.parametrize(
    ("baseline", "candidate", "verdict"),
    [
        pytest.param((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), SAME, id="nothing failed"),
        pytest.param((0.0, 0.0, 0.0), (0.1, 0.11, 0.09), SLOWER, id="failures begin"),
        pytest.param((0.1, 0.11, 0.09), (0.0, 0.0, 0.0), FASTER, id="failures end"),
        pytest.param((0.0, 0.0, 0.0), (0.0, 0.03, 0.0), UNDECIDED, id="failures in one repeat"),
    ],
)
def test_shares_of_failures_are_compared_by_their_difference(baseline, candidate, verdict):
    [found] = judge([row(ERRORS, baseline, candidate, n=2000)], TOLERANCE)
    assert found.verdict == verdict


def test_shares_vary_at_least_by_chance_however_close_the_repeats_are():
    close = (0.1, 0.1001, 0.0999)
    [found] = judge([row(ERRORS, close, [value + 0.02 for value in close], n=200)], TOLERANCE)
    assert found.verdict == UNDECIDED


def test_shares_of_few_requests_are_not_the_same_because_none_failed():
    [found] = judge([row(ERRORS, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), n=20)], TOLERANCE)
    assert found.verdict == UNDECIDED


def test_p_values_are_adjusted_by_benjamini_and_hochberg():
    # Ranks 1 to 4 of 4: 0.04, 0.06, 0.04, 0.2 times 4 / rank, and never more than that of a higher one.
    assert adjusted_p([0.03, 0.01, 0.2, 0.03]) == pytest.approx([0.04, 0.04, 0.2, 0.04])


def test_families_are_corrected_by_themselves():
    operation = P95._replace(family="operations")
    many = [row(operation, (100.0, 101.0, 99.0), (100.0, 99.5, 101.5), point=f"point {place}") for place in range(40)]
    found = judge([row(P95, STEADY, scaled(1.04)), *many], 0.01)
    assert found[0].p == judge([row(P95, STEADY, scaled(1.04))], 0.01)[0].p


def test_the_change_over_all_points_is_their_geometric_mean():
    rows = [row(P95, STEADY, scaled(1.1)), row(P95, STEADY, scaled(1.21), point="t10-c5")]
    change, (low, high) = overall(rows)[P95]
    assert change == pytest.approx(1.1**1.5)
    assert low < change < high


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("families", "drawn"),
    [pytest.param(FAMILIES, None, id="groups"), pytest.param(("total", "journeys"), 0.06, id="the same seeds")],
)
def test_equal_suites_have_at_most_five_percent_false_alarms_in_each_family(families, drawn):
    random, alarms = np.random.default_rng(15), dict.fromkeys(FAMILIES, 0)
    for _suite in range(SUITES):
        found = judge(simulated_suite(random, errors=0.02, families=families, drawn=drawn), TOLERANCE)
        for family in {judgement.row.metric.family for judgement in found if judgement.verdict in (SLOWER, FASTER)}:
            alarms[family] += 1
    assert max(alarms.values()) <= 0.05 * SUITES


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("repeats", "drawn", "least"),
    [
        pytest.param(8, None, 0.9, id="8 repeats"),
        pytest.param(5, None, 0.76, id="5 repeats"),
        pytest.param(8, 0.06, 0.9, id="8 repeats with the same seeds"),
        pytest.param(5, 0.06, 0.72, id="5 repeats with the same seeds"),
    ],
)
def test_a_shift_of_a_whole_family_is_found(repeats, drawn, least):
    random = np.random.default_rng(15)
    suites = [simulated_suite(random, repeats=(repeats, repeats), factor=1.1, families=("total",), drawn=drawn) for _suite in range(200)]
    found = [judgement.verdict for suite in suites for judgement in judge(suite, TOLERANCE) if judgement.row.metric.is_ratio]
    assert found.count(SLOWER) / len(found) >= least
    assert FASTER not in found


def test_the_own_power_is_that_of_the_simulated_suites():
    random = np.random.default_rng(15)
    shares = [power(simulated_suite(random, repeats=(8, 8), families=("total",)))["total"] for _suite in range(30)]
    assert np.mean(shares) == pytest.approx(0.94, abs=0.04)


def test_more_repeats_have_more_power():
    random = np.random.default_rng(15)
    few, many = (power(simulated_suite(random, repeats=(count, count), families=("total",)))["total"] for count in (3, 12))
    assert few < many
