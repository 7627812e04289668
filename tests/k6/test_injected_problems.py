# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of server and generator, injected into real loads, that the verdict has to name."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.attempt import k6_command, read_exit
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.machine import MACHINE_NAME
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import CATEGORIES
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import quantile
from fakes.k6_configs import load_config
from fakes.record_parts import record_parts
from fakes.simulated_mlflow import simulated_url
from programs.k6 import LOAD
from programs.measurement import Measurement, measure, verdict_of

pytestmark = pytest.mark.alone
STALL_S = 5
# Of the machine that runs the tests, and what several loads at once make of it. A request that waits for a processor may look like a silent repeat.
OF_THE_MACHINE = {"generator_delay_share", "generator_wait_share", "generator_lateness_p99_ms", "others_cpu_share", "silent_repeat_share"}
# A steady load has this finding in one of thirty cases (test_a_steady_load_rarely_has_a_finding), too often for a test of single loads.
BY_CHANCE = {"not_steady"}
OPEN = {"profile": "open", "concurrency": None}
# Several k6 start at once, which shows in the latencies of the first seconds.
FAST = {"think_time_s": 0.1, "warmup_s": 5}
# How many of them run side by side: they mostly wait, but on two busy processors more would disturb each other.
SIDE_BY_SIDE = 4
# Name: (behaviour of the server, configuration of the load). Each is healthy but for one thing. What a busy test machine adds to a request is little
# beside these latencies, where a trend would be named.
LOADS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "healthy": (
        {"latency": {"*": {"lognormal": [150, 0.2]}}},
        {**FAST, "profile": {"kind": "closed", "concurrency": 10}, "training_share": 0.5, "window_s": 20},
    ),
    "frozen": (
        {"latency": {"*": {"lognormal": [150, 0.2]}}, "stalls": [[15, 15 + STALL_S]]},
        {**FAST, "profile": {"kind": "closed", "concurrency": 20}, "window_s": 30},
    ),
    "frozen_open": (
        {"latency": {"*": {"lognormal": [20, 0.2]}}, "stalls": [[15, 15 + STALL_S]]},
        {**FAST, "profile": {"kind": "open", "rate": 2, "users_max": 50}, "window_s": 30},
    ),
    # More and more users wait in the slow tenant, so this load is not steady either.
    "slow_tenant": (
        {"latency": {"*": {"constant": 60}}, "slow_tenants": {"tenant-4": 10}},
        {
            **FAST, "profile": {"kind": "closed", "concurrency": 15}, "window_s": 25,
            "tenants": {"prefix": "tenant-", "count": 5, "choice": {"distribution": "uniform"}},
        },
    ),
    "long_warm_up": (
        {"latency": {"*": {"lognormal": [150, 0.2]}}, "slow": [[0, 10, 4]]},
        {**FAST, "profile": {"kind": "closed", "concurrency": 20}, "window_s": 22},
    ),
    "drift": (
        {"latency": {"*": {"lognormal": [200, 0.2]}}, "drift_per_s": 0.1},
        {**FAST, "profile": {"kind": "closed", "concurrency": 20}, "window_s": 28},
    ),
    "backlog": (
        {"latency": {"*": {"constant": 100}}, "workers": 10},
        {**FAST, "profile": {"kind": "open", "rate": 2, "users_max": 100}, "window_s": 20},
    ),
    "slow_server": (
        {"latency": {"*": {"constant": 100}}, "workers": 4},
        {**FAST, "profile": {"kind": "open", "rate": 8, "users_max": 50}, "window_s": 6},
    ),
    "few_users": ({"latency": {"*": {"constant": 100}}}, {**FAST, "profile": {"kind": "open", "rate": 8, "users_max": 12}, "window_s": 6}),
    "unequal_journeys": (
        {"latency": {"*": {"constant": 150}, **{name: {"constant": 10} for name in CATEGORIES["write"]}}},
        {**FAST, "profile": {"kind": "closed", "concurrency": 5}, "window_s": 20},
    ),
}


@pytest.fixture(name="measured", scope="module")
def fixture_measured(any_k6, tmp_path_factory):
    """Return the measurements of all loads by name."""
    directory = tmp_path_factory.mktemp("loads")

    def one(name):
        programmed, shape = LOADS[name]
        return measure(any_k6, directory / name, programmed, **shape)

    return dict(zip(LOADS, in_parallel(one, list(LOADS), SIDE_BY_SIDE), strict=True))


def judged(measurement, name):
    """Return the verdict of a load as if its cell had been planned like that."""
    shape = LOADS[name][1]
    planned = {**OPEN, "rate": shape["profile"]["rate"]} if shape["profile"]["kind"] == "open" else {}
    return verdict_of(measurement, **planned, training_share=shape.get("training_share", 0.2))


def sentences(verdict, finding):
    return [sentence for sentence in verdict["reasons"] + verdict["warnings"] if sentence.startswith(finding)]


def named(verdict):
    """Return the findings of a verdict that are about the server or the load."""
    return {sentence.partition(":")[0] for sentence in verdict["reasons"] + verdict["warnings"]} - OF_THE_MACHINE


def test_of_a_healthy_load_nothing_is_named(measured):
    assert named(judged(measured["healthy"], "healthy")) - BY_CHANCE == set()


@pytest.mark.parametrize(
    ("name", "findings"),
    [
        pytest.param("frozen", {"stall_share"}, id="frozen"),
        pytest.param("long_warm_up", {"not_steady"}, id="long warm-up"),
        pytest.param("drift", {"not_steady"}, id="drift"),
        pytest.param("backlog", {"not_steady"}, id="growing backlog"),
        pytest.param("unequal_journeys", {"mix_drift"}, id="drift of the mix"),
    ],
)
def test_a_problem_is_named_and_nothing_else_is(measured, name, findings):
    verdict = judged(measured[name], name)
    assert named(verdict) - BY_CHANCE | (named(verdict) & findings) == findings
    assert verdict["status"] == "valid"


@pytest.mark.parametrize("name", ["frozen", "frozen_open"])
def test_a_stall_is_measured(measured, name):
    assert measured[name].result["stall_s"] == pytest.approx(STALL_S, rel=0.05)
    assert sentences(judged(measured[name], name), "stall_share: 0.1")


@pytest.mark.parametrize("name", ["frozen", "frozen_open"])
def test_latency_weighted_by_time_shows_the_stall(measured, name):
    weighted = measured[name].result["time_weighted_ms"]
    assert (weighted["p95"], weighted["p99"]) == (pytest.approx(3500, rel=0.1), pytest.approx(4700, rel=0.1))


@pytest.mark.parametrize("name", ["frozen", "frozen_open"])
def test_latency_by_request_hides_it(measured, name):
    assert measured[name].result["total"]["latency_ms"]["p95"] < 1000


def test_a_slow_tenant_is_called_by_its_name(measured):
    assert sentences(judged(measured["slow_tenant"], "slow_tenant"), "slow_tenant_ratio: tenant-4 ")


def test_the_worst_tenant_has_its_number(measured):
    durations = sorted(float(row["duration_ms"]) for row in measured["slow_tenant"].window if row["tenant"] == "tenant-4")
    worst = measured["slow_tenant"].result["tenants"]["worst_p95"]
    assert (worst["tenant"], worst["p95_ms"]) == ("tenant-4", pytest.approx(quantile(durations, 95)))


def test_the_warm_up_is_cut_where_it_ends(measured):
    steadiness = measured["long_warm_up"].result["steadiness"]
    assert steadiness["warmup_ended_s"] == pytest.approx(10, abs=4)
    assert steadiness["findings"][0].startswith("warm-up lasted ")


def test_a_drift_has_its_direction(measured):
    """Latency rises from 1.5 to 4.3 times that of the start in the window; how exactly that is measured is the matter of the simulated series."""
    steadiness = measured["drift"].result["steadiness"]
    assert steadiness["p95_change"] > 0.5
    assert any(finding.startswith("P95 rose by ") for finding in steadiness["findings"])


def test_a_growing_backlog_shows_in_latency_alone(measured):
    backlog = measured["backlog"].result
    assert [finding.partition(" by ")[0] for finding in backlog["steadiness"]["findings"]] == ["P95 rose"]
    assert backlog["journeys"]["browsing"]["dropped"] == 0


@pytest.mark.parametrize(("name", "culprit"), [("slow_server", "server"), ("few_users", "users_max")])
def test_what_drops_journeys_is_named(measured, name, culprit):
    # A generator that the tests beside it starve would be the culprit itself.
    measured[name].result["generator"]["lateness_ms_p95"] = 0.0
    verdict = judged(measured[name], name)
    assert sentences(verdict, f"dropped_share: limited by {culprit} ")
    assert verdict["status"] == "invalid"


def test_lost_rows_are_named(measured, tmp_path):
    """Every fifth row of a request is removed from what k6 wrote."""
    finished = measured["healthy"].k6
    requests, kept = 0, []
    for line in (finished.directory / "raw.csv").read_text().splitlines(keepends=True):
        # The rows of a request follow that of its duration.
        requests += line.startswith("http_req_duration,")
        if not line.startswith("http_req") or requests % 5:
            kept.append(line)
    (tmp_path / "raw.csv").write_text("".join(kept))
    for name in ("k6.log", "summary.json"):
        shutil.copy(finished.directory / name, tmp_path)
    result = build_result(Attempt(directory=tmp_path, dest=tmp_path, exit_code=0))["result"]
    verdict = judged(Measurement(None, result, [], []), "healthy")
    assert result["samples"]["lost"] == requests // 5
    assert sentences(verdict, "lost_sample_share: ")
    assert verdict["status"] == "invalid"


@pytest.fixture(name="detached")
def fixture_detached(any_k6, tmp_path):
    """Return a function that starts a load as a cell does, with its watcher, does something beside it, and returns the measurement."""

    def run(beside):
        with simulated_url(latency={"*": {"constant": 50}}) as url:
            config = load_config(url, profile={"kind": "closed", "concurrency": 5}, think_time_s=0.1, warmup_s=1, window_s=8, out_dir=str(tmp_path))
            (tmp_path / "load_config.json").write_text(json.dumps(config))
            process = DetachedProcess("k6", str(tmp_path), k6_command(any_k6, str(LOAD), tmp_path, None), machine_file=tmp_path / MACHINE_NAME)
            process.start(may_end=True)
            while process.running():
                beside(process.describe()["pid"])
            process.stop()
        result = build_result(Attempt(directory=tmp_path, dest=tmp_path, exit_code=read_exit(tmp_path)["exit_code"]))["result"]
        return Measurement(None, result, [], [])

    return run


def starve(pid):
    """Stop a process for 40 of 100 ms, as a machine does that has too few processors."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.04)
        os.kill(pid, signal.SIGCONT)
    time.sleep(0.06)


def test_a_starved_generator_is_named(detached):
    assert sentences(verdict_of(detached(starve)), "generator_delay_share: ")


@pytest.fixture(name="busy_processors")
def fixture_busy_processors():
    """Keep every processor busy with programs that are no part of the measurement."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _processor in range(os.sysconf("SC_NPROCESSORS_ONLN"))]
    yield
    for process in busy:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("busy_processors")
def test_a_busy_machine_is_named(detached):
    measurement = detached(lambda _pid: time.sleep(0.2))
    machine = measurement.result["machine"]
    assert 0 < machine["generator_cores"] <= machine["used_cores"] + 0.1
    mlflow = {**record_parts()["resources"]["mlflow"], "cpu_cores_mean": 0.1}
    assert sentences(verdict_of(measurement, {"resources": {"mlflow": mlflow}}), "others_cpu_share: ")
