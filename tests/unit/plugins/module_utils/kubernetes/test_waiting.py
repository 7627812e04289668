# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting: it ends when all is well, at a failure, when a doubt lasts, or with the time."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.waiting import Verdict, wait

WAITING = Verdict(waiting_for=["a pod"])
DOUBT = Verdict(doubts=["it failed"])
PROBLEM = Verdict(problems=["it cannot"])
READY = Verdict()
DOWN = ClusterError("GET /: the API server does not answer.")
BUSY = ClusterError("GET /: 503", 503)


def waited(verdicts, timeout_s=20.0, patience=3):
    """Runs a wait over what each look says, the last for ever, with a clock that only its pauses move."""
    now = [0.0]
    looks = itertools.chain(verdicts[:-1], itertools.repeat(verdicts[-1]))

    def look():
        said = next(looks)
        if isinstance(said, ClusterError):
            raise said
        return said

    def sleep(seconds):
        now[0] += seconds

    return wait(look, lambda said: said, timeout_s, 2.0, patience, clock=lambda: now[0], sleep=sleep)


@pytest.mark.parametrize(
    ("verdicts", "ended", "seconds"),
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
def test_how_it_ends(verdicts, ended, seconds):
    _state, outcome = waited(verdicts)
    assert (outcome.ended, outcome.seconds) == (ended, seconds)


def test_a_server_that_never_answers():
    state, outcome = waited([DOWN])
    assert state is None and outcome.ended == "time" and outcome.verdict.waiting_for == [str(DOWN)]


def test_a_refusal_is_not_waited_for():
    with pytest.raises(ClusterError, match="403"):
        waited([ClusterError("GET /: 403", 403)])


def test_no_time_still_looks_once():
    assert waited([READY], timeout_s=0)[1].ended == "ready"
    assert waited([WAITING], timeout_s=0)[1].ended == "time"
