# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of server and generator, injected into real loads, that the verdict has to name."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.attempt import k6_command, read_exit
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.machine import MACHINE_NAME
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import quantile
from fakes.k6_configs import load_config
from fakes.simulated_mlflow import simulated_url
from programs.k6 import LOAD
from programs.measurement import Measurement, measure, verdict_of

STALL_S = 5


def sentences(verdict, finding):
    return [sentence for sentence in verdict["reasons"] + verdict["warnings"] if sentence.startswith(finding)]


@pytest.fixture(name="frozen", scope="module")
def fixture_frozen(any_k6, tmp_path_factory):
    """A server that stands still for 5 s of a window of 30 s, with ten users."""
    programmed = {"latency": {"*": {"lognormal": [40, 0.2]}}, "stalls": [[10, 10 + STALL_S]]}
    shape = {"profile": {"kind": "closed", "concurrency": 10}, "think_time_s": 0.1, "warmup_s": 0, "window_s": 30}
    return measure(any_k6, tmp_path_factory.mktemp("frozen"), programmed, **shape)


def test_a_stall_is_measured(frozen):
    assert frozen.result["stall_s"] == pytest.approx(STALL_S, rel=0.05)


def test_latency_weighted_by_time_shows_the_stall(frozen):
    weighted = frozen.result["time_weighted_ms"]
    assert (weighted["p95"], weighted["p99"]) == (pytest.approx(3500, rel=0.1), pytest.approx(4700, rel=0.1))


def test_latency_by_request_hides_it(frozen):
    assert frozen.result["total"]["latency_ms"]["p95"] < 1000


def test_a_stall_is_named(frozen):
    assert sentences(verdict_of(frozen), "stall_share: 0.1")


@pytest.fixture(name="slow_tenant", scope="module")
def fixture_slow_tenant(any_k6, tmp_path_factory):
    """One tenant of five whose requests take ten times as long."""
    programmed = {"latency": {"*": {"constant": 60}}, "slow_tenants": {"tenant-4": 10}}
    tenants = {"prefix": "tenant-", "count": 5, "choice": {"distribution": "uniform"}}
    shape = {"profile": {"kind": "closed", "concurrency": 10}, "tenants": tenants, "think_time_s": 0.1, "warmup_s": 0, "window_s": 8}
    return measure(any_k6, tmp_path_factory.mktemp("slow"), programmed, **shape)


def test_a_slow_tenant_is_named(slow_tenant):
    assert sentences(verdict_of(slow_tenant), "slow_tenant_ratio: tenant-4 ")


def test_the_worst_tenant_has_its_number(slow_tenant):
    durations = sorted(float(row["duration_ms"]) for row in slow_tenant.window if row["tenant"] == "tenant-4")
    worst = slow_tenant.result["tenants"]["worst_p95"]
    assert (worst["tenant"], worst["p95_ms"]) == ("tenant-4", pytest.approx(quantile(durations, 95)))


OPEN = {"rate": 8, "concurrency": None, "profile": "open"}


def open_load(k6, directory, programmed, vus):
    """Measure an open load; a generator that other tests starve would be the culprit itself."""
    measured = measure(k6, directory, programmed, profile={"kind": "open", "rate": OPEN["rate"], "users_max": vus}, warmup_s=4, window_s=6)
    measured.result["generator"]["lateness_ms_p95"] = 0.0
    return measured


def test_a_server_that_is_too_slow_for_the_rate_is_named(any_k6, tmp_path):
    verdict = verdict_of(open_load(any_k6, tmp_path, {"latency": {"*": {"constant": 100}}, "workers": 4}, 50), **OPEN)
    assert sentences(verdict, "dropped_share: limited by server ")
    assert verdict["status"] == "invalid"


def test_too_few_virtual_users_for_the_rate_are_named(any_k6, tmp_path):
    verdict = verdict_of(open_load(any_k6, tmp_path, {"latency": {"*": {"constant": 100}}}, 12), **OPEN)
    assert sentences(verdict, "dropped_share: limited by users_max ")
    assert verdict["status"] == "invalid"


@pytest.fixture(name="starved", scope="module")
def fixture_starved(any_k6, tmp_path_factory):
    """A k6 that is stopped for 40 of every 100 ms, as a machine does that has too few processors; the numbers of its load."""
    directory = tmp_path_factory.mktemp("starved")
    with simulated_url(latency={"*": {"constant": 50}}) as url:
        config = load_config(url, profile={"kind": "closed", "concurrency": 5}, think_time_s=0.1, warmup_s=1, window_s=8, out_dir=str(directory))
        (directory / "load_config.json").write_text(json.dumps(config))
        process = DetachedProcess("k6", str(directory), k6_command(any_k6, str(LOAD), directory, None), machine_file=directory / MACHINE_NAME)
        process.start(may_end=True)
        pid = process.describe()["pid"]
        while process.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.04)
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.06)
        process.stop()
    result = build_result(Attempt(directory=directory, dest=directory, exit_code=read_exit(directory)["exit_code"]))["result"]
    return Measurement(None, result, [], [])


def test_a_starved_generator_is_named(starved):
    assert sentences(verdict_of(starved), "generator_delay_share: ")


def test_what_the_machine_used_is_noted_beside_a_load(starved):
    machine = starved.result["machine"]
    assert machine["cores"] == os.sysconf("SC_NPROCESSORS_ONLN")
    assert 0 < machine["generator_cores"] <= machine["used_cores"] + 0.1
