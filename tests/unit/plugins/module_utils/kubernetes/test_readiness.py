# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits end when everything is ready, at a failure, when a doubt persists, or at the time limit; conditions as the API conventions write them."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.readiness import (
    Readiness,
    condition_status,
    condition_text,
    is_condition_true,
    unmet_conditions,
    wait,
)

WAITING = Readiness(waiting_for=["a pod"])
DOUBT = Readiness(doubts=["it failed"])
PROBLEM = Readiness(problems=["it cannot"])
READY = Readiness()
DOWN = ClusterError("GET /: the API server does not respond.")
BUSY = ClusterError("GET /: 503", 503)


def waited(observations, timeout_s=20.0, patience=3):
    """Run a wait over observations, the last one repeated, with a clock that only its pauses move."""
    now = [0.0]
    remaining = itertools.chain(observations[:-1], itertools.repeat(observations[-1]))

    def read():
        observed = next(remaining)
        if isinstance(observed, ClusterError):
            raise observed
        return observed

    def sleep(seconds):
        now[0] += seconds

    return wait(read, lambda observed: observed, timeout_s, 2.0, patience, clock=lambda: now[0], sleep=sleep)


@pytest.mark.parametrize(
    ("observations", "ended", "seconds"),
    [
        pytest.param([READY], "ready", 0, id="at-once"),
        pytest.param([WAITING, WAITING, READY], "ready", 4, id="later"),
        pytest.param([WAITING, PROBLEM], "problem", 2, id="failure"),
        pytest.param([DOUBT, DOUBT, WAITING, DOUBT, READY], "ready", 8, id="doubts-that-heal"),
        pytest.param([DOUBT], "problem", 4, id="doubt-that-lasts"),
        pytest.param([WAITING], "time", 20, id="time"),
        pytest.param([DOWN, BUSY, READY], "ready", 4, id="server-away"),
    ],
)
def test_how_it_ends(observations, ended, seconds):
    _state, outcome = waited(observations)
    assert (outcome.ended, outcome.seconds) == (ended, seconds)


def test_a_server_that_never_answers():
    state, outcome = waited([DOWN])
    assert state is None
    assert outcome.ended == "time"
    assert outcome.readiness.waiting_for == [str(DOWN)]


def test_a_denied_request_is_not_waited_for():
    with pytest.raises(ClusterError, match="403"):
        waited([ClusterError("GET /: 403", 403)])


def test_without_time_it_checks_once():
    assert waited([READY], timeout_s=0)[1].ended == "ready"
    assert waited([WAITING], timeout_s=0)[1].ended == "time"


TRUE_CONDITION = {"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False", "severity": "Info"}]}}
UNKNOWN_CONDITION = {"status": {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "Late", "message": "not yet"}]}}


@pytest.mark.parametrize(
    ("manifest", "status", "true"),
    [
        pytest.param(TRUE_CONDITION, "True", True, id="true"),
        pytest.param(UNKNOWN_CONDITION, "Unknown", False, id="unknown"),
        pytest.param({"status": {"conditions": None}}, "", False, id="no-conditions"),
        pytest.param({}, "", False, id="no-status"),
        pytest.param(None, "", False, id="no-object"),
    ],
)
def test_a_condition(manifest, status, true):
    assert condition_status(manifest, "Ready") == status
    assert is_condition_true(manifest, "Ready") is true


def test_unmet_conditions_without_informational_ones():
    assert unmet_conditions(TRUE_CONDITION) == []
    assert unmet_conditions(UNKNOWN_CONDITION) == ["Ready=Unknown (Late: not yet)"]
    assert condition_text({"type": "Ready", "status": "False"}) == "Ready=False"
