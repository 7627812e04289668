# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outages of the server and of single tenants, from samples."""

from __future__ import annotations

import random

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.outages import longest_outage_s, tenant_outage
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import read_raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import Kind, Requests
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from fakes.k6_raw_rows import HEADER, request

START_MS = 1_800_000_000_000
WINDOW = Window(START_MS, START_MS + 10_000, {})


@pytest.mark.parametrize(
    ("requests", "seconds"),
    [
        pytest.param([(0, 200), (5, 200), (9, 200)], 0.0, id="none failed"),
        pytest.param([(0, 200), (1, 401), (3, 500), (4, 200), (6, 503), (8, 200)], 3.0, id="the longest of two"),
        pytest.param([(1, 200), (4, 401)], 6.0, id="to the end of the window"),
        pytest.param([(0, 401), (9, 401)], 10.0, id="the whole window"),
        pytest.param([(-5, 401), (2, 200), (9.5, 200), (11, 401)], 0.0, id="warm-up and graceful stop do not count"),
        pytest.param([(-5, 401), (2, 401), (3, 200)], 1.0, id="begins inside"),
    ],
)
def test_the_longest_outage(tmp_path, requests, seconds):
    rows = "".join(request(end_ms=START_MS + round(second * 1000) + 5, duration=5.0, status=status) for second, status in requests)
    (tmp_path / "raw.csv").write_text(HEADER + rows, encoding="utf-8")
    raw = read_raw(tmp_path / "raw.csv", 60_000)
    assert longest_outage_s(raw.requests, WINDOW) == seconds


def load_of(requests):
    """Return requests of (second of the window, tenant, operation, status), which take 10 ms each."""
    load = Requests()
    for second, tenant, operation, status in requests:
        kind = Kind(operation, "browsing", tenant, status, "" if status == 200 else f"1{status}")
        load.add(START_MS + round(second * 1000), 1000, load.number_of(kind))
    return load


def outage_of(requests, seconds):
    return tenant_outage(load_of(requests), Window(START_MS, START_MS + seconds * 1000, {}))


def load(draw, tenants, per_second, seconds, failing=0.0):
    """Yield journeys of ten requests 0.3 s apart, each in a random tenant; a share of `failing` requests fails, whatever the tenant."""
    for _journey in range(round(per_second * seconds / 10)):
        begun, tenant = draw.uniform(-3, seconds), f"tenant-{draw.randint(1, tenants)}"
        for number in range(10):
            operation = ("list_workspaces", "search_runs", "get_run", "list_artifacts")[number % 4]
            yield begun + 0.3 * number, tenant, operation, 500 if draw.random() < failing else 200


def without(requests, tenant, second):
    """Yield the requests as they end when a tenant is deleted at that second of the window; the list of tenants is still served."""
    for moment, name, operation, status in requests:
        is_dead = name == tenant and moment >= second and operation != "list_workspaces"
        yield moment, name, operation, 404 if is_dead else status


def test_a_tenant_deleted_in_the_window_is_named():
    found = outage_of(without(load(random.Random(1), 3, 20, 45), "tenant-3", 15), 45)
    assert (found["tenant"], found["tenants"]) == ("tenant-3", 1)
    assert found["outage_s"] == pytest.approx(30, abs=3)
    assert found["without_success_s"] == pytest.approx(30, abs=3)
    assert found["failed"] > 20


@pytest.mark.parametrize("seed", range(10))
def test_one_dead_tenant_of_500_is_named(seed):
    """It has two or three journeys in the window; the tenants with as few requests, and one failed request, are not named."""
    draw = random.Random(seed)
    requests = [*load(draw, 500, 50, 60, failing=0.002), *((second, "tenant-77", "get_run", 200) for second in (12.0, 13.0, 40.0, 41.0, 55.0))]
    found = outage_of(without(requests, "tenant-77", 10), 60)
    assert found["tenant"] == "tenant-77"
    assert found["outage_s"] >= 43


@pytest.mark.parametrize("failing", [pytest.param(share, id=f"{share:.1%}") for share in (0.001, 0.01, 0.05, 0.3)])
@pytest.mark.parametrize("tenants", [pytest.param(count, id=f"{count}-tenants") for count in (3, 50, 500)])
def test_independent_failures_are_no_outage_of_a_tenant(tenants, failing):
    draw = random.Random(f"{tenants} {failing}")
    named = [outage_of(load(draw, tenants, 30, 45, failing), 45) for _cell in range(4)]
    assert [found for found in named if found] == []


@pytest.mark.parametrize(
    "requests",
    [
        pytest.param([(second, "tenant-1", "get_run", 200) for second in range(40)] + [(5, "tenant-2", "get_run", 500)], id="one failed request"),
        pytest.param([(second, "tenant-1", "get_run", 500) for second in range(40)], id="the only tenant"),
        pytest.param([(second, f"tenant-{second % 2}", "get_run", 500 if second > 10 else 200) for second in range(40)], id="all tenants"),
        pytest.param([(second, "tenant-1", "get_run", 200) for second in (0, 44)] + [(n, "tenant-2", "get_run", 200) for n in range(45)], id="a gap"),
    ],
)
def test_what_is_no_outage_of_a_tenant(requests):
    assert outage_of(requests, 45) is None


def test_a_short_outage_of_a_busy_tenant_ends_with_its_next_success():
    requests = [(n / 10, f"tenant-{n % 3}", "get_run", 503 if n % 3 == 1 and 100 <= n < 200 else 200) for n in range(450)]
    found = outage_of(requests, 45)
    assert (found["tenant"], found["failed"], found["tenants"]) == ("tenant-1", 34, 1)
    assert found["outage_s"] == pytest.approx(9.9, abs=0.1)
    assert found["without_success_s"] == pytest.approx(10.5, abs=0.1)
