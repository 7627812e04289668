# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listings of workspaces, cold and warm, and the stretches in which they are slow."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.listings import STRETCHES, listings
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import read_raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from fakes.k6_raw_rows import HEADER, request

START_MS = 1_795_000_000_000


def listing(second, duration, tenant="tenant-1", **more):
    """Return the rows of a listing that starts so many seconds after the start of the window."""
    return request(START_MS + round(1000 * second + duration), duration=duration, operation="list_workspaces", tenant=tenant, **more)


@pytest.fixture(name="found")
def fixture_found(tmp_path):
    """Return the listings of the rows of a load."""

    def call(rows):
        (tmp_path / "raw.csv").write_text(HEADER + "".join(reversed(rows)))
        raw = read_raw(tmp_path / "raw.csv", 60_000)
        return listings(raw.requests, Window(START_MS, START_MS + 600_000))

    return call


def test_the_first_listing_of_each_tenant_stands_apart(found):
    rows = [listing(0, 900, "tenant-1", status=500, error_code="1500"), listing(1, 80, "tenant-1")]
    rows += [listing(n, 50 + n, f"tenant-{n}") for n in range(2, 6)] + [listing(10 + n, 5 + n % 2, f"tenant-{n % 5 + 1}") for n in range(30)]
    rows += [request(START_MS + 500, duration=300, tenant="tenant-6")]
    assert found(rows) == {"tenants": 5, "first_p50_ms": 54.0, "later_p50_ms": 5.5, "slow": []}


def test_refilled_caches_are_slow_stretches(found):
    rows = [listing(-30, 3500)] + [listing(n, 20) for n in range(-20, 600, 2)]
    refills = [listing(280.5, 3500), listing(281.5, 2500), listing(580.5, 3400)]
    assert found(rows + refills)["slow"] == [
        {"start_s": 280.5, "end_s": 284.0, "n": 2, "max_ms": 3500.0},
        {"start_s": 580.5, "end_s": 583.9, "n": 1, "max_ms": 3400.0},
    ]


def test_a_server_that_is_always_slow_has_no_slow_stretch(found):
    assert found([listing(n, 2000 + 40 * (n % 7)) for n in range(100)])["slow"] == []


def test_quick_listings_are_not_slow_by_their_ratio_alone(found):
    assert found([listing(n, 2) for n in range(100)] + [listing(50.5, 240)])["slow"] == []


def test_the_slowest_stretches_are_kept(found):
    rows = [listing(n / 10, 5) for n in range(1000)] + [listing(100 + 2 * n, 300 + n) for n in range(STRETCHES + 5)]
    assert [stretch["max_ms"] for stretch in found(rows)["slow"]] == [305 + n for n in range(STRETCHES)]


def test_no_listing(found):
    assert found([request(START_MS + 500)]) == {"tenants": 0, "first_p50_ms": None, "later_p50_ms": None, "slow": []}
