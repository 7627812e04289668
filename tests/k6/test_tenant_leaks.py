# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trickle that asks for another tenant's objects: a server that leaks is found, one that does not is clean, and no total has these requests."""

from __future__ import annotations

import pytest

from fakes.simulated_mlflow import Served
from programs.measurement import Measurement, measure, verdict_of

TRICKLE = {"isolation_per_s": 5, "window_s": 4}


def measured(k6, directory, **programmed) -> Measurement:
    return measure(k6, directory, programmed, **TRICKLE)


@pytest.fixture(name="leaking", scope="module")
def fixture_leaking(any_k6, tmp_path_factory):
    """A load of a server that gives a tenant the experiments of others."""
    return measured(any_k6, tmp_path_factory.mktemp("leaking"), apart="leaking")


@pytest.fixture(name="isolated", scope="module")
def fixture_isolated(any_k6, tmp_path_factory):
    """A load of a server that keeps its tenants apart."""
    return measured(any_k6, tmp_path_factory.mktemp("isolated"), apart="kept")


def test_a_leaking_tenant_is_found_and_named(leaking):
    found = leaking.result["isolation"]
    assert found["leaks"] > 0
    assert "was given an object of tenant-" in found["examples"][0]


def test_a_leak_makes_the_cell_invalid(leaking):
    verdict = verdict_of(leaking)
    assert verdict["status"] == "invalid"
    assert verdict["reasons"][0].startswith("tenant_leaks: tenant-")


def test_a_server_that_keeps_tenants_apart_is_clean(isolated):
    found = isolated.result["isolation"]
    assert found["n"] > 10
    assert (found["leaks"], found["examples"]) == (0, [])
    assert verdict_of(isolated)["status"] == "valid"


def test_no_total_and_no_sample_has_these_requests(isolated):
    assert not [row for row in isolated.samples if row["operation"].startswith("isolation")]
    assert not [name for name in isolated.result["operations"] if name.startswith("isolation")]
    assert isolated.result["samples"]["lost"] == 0


def test_the_generator_counts_no_journeys_of_them(isolated):
    started = sum(journey["started"] for journey in isolated.result["journeys"].values())
    assert isolated.result["generator"]["iterations"] <= started + 5


def test_without_the_trickle_nothing_is_asked(any_k6, tmp_path):
    found = measure(any_k6, tmp_path, {}, window_s=2)
    assert found.result["isolation"] is None
    assert all(isinstance(served, Served) for served in found.served)
