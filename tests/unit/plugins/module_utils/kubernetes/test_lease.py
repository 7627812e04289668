# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.lease import acquire, expire, expiry, release

PATH = "/apis/coordination.k8s.io/v1/namespaces/a/leases"
LEASE = f"{PATH}/perfscale-mlflow"


@pytest.fixture
def clock(cluster, monkeypatch):
    """The API server's clock, in epoch seconds."""
    now = [1_795_521_600.0]
    monkeypatch.setattr(cluster, "server_time", lambda: now[0])
    return now


def spec(server):
    return server.get(LEASE)["spec"]


def test_acquires_a_free_lease(server, cluster, clock):
    found = acquire(cluster, "a", "r1", 600)
    assert found == {"holder": "r1", "until": clock[0] + 600, "until_at": "2026-11-24T12:10:00Z", "taken_over": "", "was_held": False}
    assert spec(server)["acquireTime"] == "2026-11-24T12:00:00.000000Z"
    assert ownership.is_ours(server.get(LEASE))


def test_fails_for_a_second_run_and_names_the_first(server, cluster, clock):
    acquire(cluster, "a", "r1", 600)
    clock[0] += 599
    with pytest.raises(ClusterError, match=r"^Lease a/perfscale-mlflow: held by run r1 until 2026-11-24T12:10:00Z, .* before starting run r2\.$"):
        acquire(cluster, "a", "r2", 600)
    assert spec(server)["holderIdentity"] == "r1"


def test_the_holder_renews_it(server, cluster, clock):
    acquire(cluster, "a", "r1", 600)
    clock[0] += 60
    assert acquire(cluster, "a", "r1", 900)["until"] == clock[0] + 900
    assert spec(server)["acquireTime"] < spec(server)["renewTime"]
    assert spec(server)["leaseTransitions"] == 0


@pytest.mark.parametrize(("after", "seconds"), [(10, 60), (10, 900)], ids=["shorter", "longer"])
def test_each_step_renews_it_for_its_own_limit(cluster, clock, after, seconds):
    acquire(cluster, "a", "r1", 7200)
    clock[0] += after
    assert acquire(cluster, "a", "r1", seconds)["until"] == clock[0] + seconds


@pytest.mark.parametrize(
    ("holders", "pause", "was_held"),
    [
        pytest.param(["r1"], 10, True, id="held"),
        pytest.param(["r1"], 601, False, id="expired-meanwhile"),
        pytest.param(["r1", None], 10, False, id="released-meanwhile"),
        pytest.param([], 0, False, id="new"),
    ],
)
def test_an_interruption_is_noticed(cluster, clock, holders, pause, was_held):
    for run in holders:
        if run:
            acquire(cluster, "a", run, 600)
        else:
            release(cluster, "a", "r1")
    clock[0] += pause
    assert acquire(cluster, "a", "r1", 600)["was_held"] is was_held


def test_an_expired_lease_is_held_while_its_load_runs(server, cluster, clock):
    acquire(cluster, "a", "r1", 600)
    clock[0] += 601
    with pytest.raises(ClusterError, match=r"run r1 has not renewed it since 2026-11-24T12:10:00Z, but its load still runs in Pod a/k6\. Wait"):
        acquire(cluster, "a", "r2", 600, running_load=lambda run: "Pod a/k6" if run == "r1" else "")
    assert spec(server)["holderIdentity"] == "r1"
    # Its own run goes on with it, and another run follows when the load is over.
    assert acquire(cluster, "a", "r1", 1, running_load=lambda _run: "Pod a/k6")["taken_over"] == ""
    clock[0] += 2
    assert acquire(cluster, "a", "r2", 600, running_load=lambda _run: "")["taken_over"] == "r1"


def test_a_lease_that_expires_at_once_keeps_the_name_of_its_run(server, cluster, clock):
    acquire(cluster, "a", "r1", 600)
    assert not expire(cluster, "a", "r2")
    assert expire(cluster, "a", "r1", check_mode=True)
    assert expiry(server.get(LEASE)) > clock[0]
    assert expire(cluster, "a", "r1")
    assert spec(server)["holderIdentity"] == "r1"
    assert spec(server)["leaseDurationSeconds"] >= 1
    assert acquire(cluster, "a", "r2", 600)["taken_over"] == "r1"


def test_takes_over_an_expired_lease(server, cluster, clock):
    acquire(cluster, "a", "r1", 600)
    clock[0] += 601
    assert acquire(cluster, "a", "r2", 600)["taken_over"] == "r1"
    assert spec(server)["leaseTransitions"] == 1
    assert server.get(LEASE)["metadata"]["labels"] == ownership.labels("r2")


def test_acquires_a_lease_without_a_holder(server, cluster, clock):
    server.put(LEASE, ownership.labels("r0"))
    assert acquire(cluster, "a", "r1", 600)["taken_over"] == ""


def test_leaves_an_unmanaged_lease(server, cluster, clock):
    server.put(LEASE, spec={"holderIdentity": ""})
    with pytest.raises(ClusterError, match="not managed by this collection"):
        acquire(cluster, "a", "r1", 600)
    assert not release(cluster, "a", "r1")
    assert server.writes() == []


def test_of_two_that_start_together_one_wins(server, cluster, clock):
    """The other one's write comes between our look and ours."""

    def quicker(method, path, _body):
        if method == "POST" and not server.get(LEASE):
            server.put(LEASE, ownership.labels("r2"), spec={"holderIdentity": "r2", "leaseDurationSeconds": 600, "renewTime": "2026-11-24T12:00:00.000000Z"})

    server.hook = quicker
    with pytest.raises(ClusterError, match="held by run r2"):
        acquire(cluster, "a", "r1", 600)


def test_gives_up_when_it_always_comes_too_late(server, cluster, clock):
    acquire(cluster, "a", "r1", 600)
    server.answers[("PUT", LEASE)] = [(409, {"reason": "Conflict", "message": "modified"})] * 3
    with pytest.raises(ClusterError, match="409"):
        acquire(cluster, "a", "r1", 600)


def test_check_mode_writes_nothing(server, cluster, clock):
    assert acquire(cluster, "a", "r1", 600, check_mode=True)["holder"] == "r1"
    assert server.get(LEASE) is None
    acquire(cluster, "a", "r1", 600)
    assert release(cluster, "a", "r1", check_mode=True)
    assert server.get(LEASE)


def test_only_the_holder_releases_it(server, cluster, clock):
    acquire(cluster, "a", "r1", 600)
    assert not release(cluster, "a", "r2")
    assert server.get(LEASE)
    assert release(cluster, "a", "r1")
    assert not server.get(LEASE)
    assert not release(cluster, "a", "r1")


@pytest.mark.parametrize(("status", "fails"), [(404, False), (409, False), (403, True)], ids=["gone", "taken", "forbidden"])
def test_release_of_a_lease_that_is_gone_or_taken(server, cluster, clock, status, fails):
    acquire(cluster, "a", "r1", 600)
    server.answers[("DELETE", LEASE)] = [(status, {})]
    if fails:
        with pytest.raises(ClusterError):
            release(cluster, "a", "r1")
    else:
        assert release(cluster, "a", "r1")


@pytest.mark.parametrize(
    ("lease", "end"),
    [
        pytest.param({}, 0.0, id="empty"),
        pytest.param({"spec": {"acquireTime": "2026-11-24T12:00:00Z"}}, 1795521600.0, id="no-duration"),
    ],
)
def test_a_lease_without_times_has_ended(lease, end):
    assert expiry(lease) == end
