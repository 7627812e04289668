# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The division of loads among shards, and how many of them loads need."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.division import (
    Calibration,
    DivisionError,
    calibration_of,
    check_cells,
    divide,
    room_for,
    shard_count,
    users_of,
)

CALIBRATION = Calibration(cpu_s_per_request=0.001, requests_per_journey=50, requests_per_user_s=10)
NODES = [{"name": name, "cpu_cores": 4.0, "memory_bytes": 8e9} for name in ("node-a", "node-b")]


def closed(concurrency):
    return {"kind": "closed", "concurrency": concurrency}


def opened(users_max):
    return {"kind": "open", "rate": 10, "users_max": users_max}


def cell(concurrency=None, rate=None, users_max=200, share=0.2):
    load = {"users_max": users_max} if rate else {}
    return {"profile": "open" if rate else "closed", "concurrency": concurrency, "rate": rate, "training_share": share, "load": load}


# The cases of tests/k6/lib.test.js, so that script and plan divide alike.
@pytest.mark.parametrize(("users", "share", "training"), [
    (2, 0.2, 1), (5, 0.2, 1), (7, 0.2, 1), (8, 0.2, 2), (10, 0.2, 2), (14, 0.2, 3), (50, 0.2, 10), (5, 0, 0), (5, 1, 5), (5, 0.99, 4),
])  # fmt: skip
def test_users_are_those_of_the_load_script(users, share, training):
    assert users_of(closed(users), share) == {"training": training, "browsing": users - training}


@pytest.mark.parametrize(
    ("profile", "share", "shards", "vus"),
    [
        pytest.param(closed(20), 0.2, 4, {"training": 4, "browsing": 16}, id="closed"),
        pytest.param(opened(200), 0.2, 8, {"training": 40, "browsing": 160}, id="open"),
        pytest.param(closed(12), 0, 4, {"training": 0, "browsing": 12}, id="one journey"),
        pytest.param(closed(7), 0.2, 1, {"training": 1, "browsing": 6}, id="one shard"),
    ],
)
def test_what_the_shards_divide_stays(profile, share, shards, vus):
    assert divide(profile, share, shards, is_rounded=False) == vus


@pytest.mark.parametrize(
    ("profile", "shards", "sentence"),
    [
        pytest.param(
            closed(12),
            4,
            "Load of 4 shards: concurrency 12 is 2 for training and 10 for browsing, which 4 does not divide. "
            "Use concurrency 20, another k6_runner_shards, or k6_runner_round_vus.",
            id="closed",
        ),
        pytest.param(
            opened(200),
            3,
            "Load of 3 shards: users_max 200 is 40 for training and 160 for browsing, which 3 does not divide. "
            "Use users_max 210, another k6_runner_shards, or k6_runner_round_vus.",
            id="open",
        ),
        pytest.param(closed(1), 2, "concurrency 1 is 0 for training and 1 for browsing", id="one user"),
    ],
)
def test_what_the_shards_do_not_divide_is_an_error_with_a_number_that_fits(profile, shards, sentence):
    with pytest.raises(DivisionError) as raised:
        divide(profile, 0.2, shards, is_rounded=False)
    assert sentence in str(raised.value)


def test_users_are_rounded_up_only_when_asked():
    assert divide(closed(12), 0.2, 4, is_rounded=True) == {"training": 4, "browsing": 12}


def test_each_load_of_a_plan_is_named_once():
    with pytest.raises(DivisionError) as raised:
        check_cells([cell(12), cell(12), cell(20), cell(rate=5, users_max=199)], 4, is_rounded=False)
    assert str(raised.value).count("which 4 does not divide") == 2


def test_many_loads_are_counted():
    with pytest.raises(DivisionError, match="2 more loads have the same problem"):
        check_cells([cell(count) for count in (11, 12, 13, 14, 15)], 4, is_rounded=False)


def test_rounded_loads_have_no_problem():
    check_cells([cell(12), cell(rate=5, users_max=199)], 4, is_rounded=True)


RECORD = {
    "id": "t1-c10-r1", "window": {"start": 100.0, "end": 130.0}, "spec": {"concurrency": 10}, "total": {"n": 3000},
    "generator": {"cpu_cores_mean": 0.2, "vus_max": 11}, "journeys": {"training": {"started": 10}, "browsing": {"started": 50}},
}  # fmt: skip


def test_a_calibration_is_what_a_request_cost():
    assert calibration_of(RECORD) == pytest.approx((0.002, 50, 10))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"generator": {"cpu_cores_mean": None}}, id="no CPU"),
        pytest.param({"total": {"n": 0}}, id="no request"),
        pytest.param({"journeys": {}}, id="no journey"),
    ],
)
def test_a_cell_that_shows_nothing_is_no_calibration(changes):
    with pytest.raises(DivisionError, match="Measure the cell again"):
        calibration_of({**RECORD, **changes})


@pytest.mark.parametrize(
    ("nodes", "cores", "memory", "room"),
    [
        pytest.param(NODES, 1, 0, 8, id="processors"),
        pytest.param(NODES, 1, 3e9, 4, id="memory"),
        pytest.param(NODES, 3, 0, 2, id="no generator on two nodes"),
        pytest.param([{**NODES[0], "cpu_cores_taken": 2.5}], 1, 0, 1, id="taken"),
        pytest.param([{**NODES[0], "cpu_cores_taken": 5}], 1, 0, 0, id="over-committed"),
        pytest.param([], 1, 0, 0, id="no node"),
    ],
)
def test_room_for_generators(nodes, cores, memory, room):
    assert room_for(nodes, cores, memory) == room


@pytest.mark.parametrize(
    ("cells", "known", "count"),
    [
        pytest.param([cell(20)], {}, 1, id="small"),
        # 40 journeys/s x 50 requests x 1 ms = 2 cores, of which one generator may use 0.7.
        pytest.param([cell(rate=40, users_max=300)], {}, 3, id="open"),
        pytest.param([cell(20), cell(rate=40, users_max=300)], {"is_rounded": True}, 3, id="the largest cell, rounded"),
        # 3 are needed, and 4 is the first that divides 40 and 160.
        pytest.param([cell(rate=40, users_max=200)], {}, 4, id="the next that divides"),
        # 200 users x 10 requests/s x 1 ms = 2 cores.
        pytest.param([cell(200)], {"head_room": 0.5}, 4, id="closed"),
    ],
)
def test_how_many_shards(cells, known, count):
    assert shard_count(cells, CALIBRATION, NODES, 1, **known) == count


def test_nodes_that_cannot_carry_the_load_are_an_error():
    with pytest.raises(DivisionError) as raised:
        shard_count([cell(rate=200)], CALIBRATION, NODES, 1, 2e9)
    assert str(raised.value) == (
        "Shards: 10000 requests/s at 1 ms of processor time each need 15 generators of 1 cores, with 30% head-room; the nodes have room for 8. "
        "Add nodes, or declare a smaller load."
    )


def test_users_that_no_possible_number_divides_are_an_error():
    with pytest.raises(DivisionError, match=r"no number from 3 to 8 divides the virtual users of every cell. Set k6_runner_round_vus"):
        shard_count([cell(rate=40, users_max=197)], CALIBRATION, NODES, 1)
