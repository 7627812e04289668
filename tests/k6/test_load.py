# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load script against a real MLflow: what it sends, when, and its results."""

from __future__ import annotations

import json
import re
from collections import Counter
from urllib.parse import parse_qs

import pytest

from fakes.k6_configs import load_config, prefill_config
from programs.k6 import LOAD, PREFILL, run_k6

TRAINING = ["create_experiment", "create_prompt", "create_prompt_version", "create_run", "log_metric", "log_parameter", "log_artifact", "update_run_status"]
BROWSING = ["list_workspaces", "search_prompts", "search_experiments", "get_experiment", "search_runs", "get_run", "list_artifacts", "fetch_artifact"]
# The HTTP stamps are whole milliseconds, and the end of the window is checked before a request is sent.
SLACK_MS = 60
WINDOW_S = (8, 90)  # least and most


@pytest.fixture(scope="session")
def prefilled(any_k6, mlflow, tmp_path_factory):
    """Prefill a small data set into three tenants and return the summary."""
    ended = run_k6(any_k6, PREFILL, tmp_path_factory.mktemp("prefill"), config=prefill_config(mlflow.url))
    assert ended.code == 0, ended.log
    return ended.json("prefill_summary.json")


@pytest.fixture(scope="session")
def filled(mlflow, prefilled):
    """Return the MLflow with that data set."""
    assert prefilled["status"] == "complete"
    return mlflow


@pytest.fixture(scope="session")
def window_s(prefilled) -> int:
    """Return the seconds in which one of two VUs completes a journey on this machine: about the time of a hundred writes of four."""
    least, most = WINDOW_S
    return round(min(most, max(least, 1.5 * prefilled["seconds"])))


def window_of(ended) -> dict:
    """Return the window of the log."""
    line = next(line for line in ended.log.splitlines() if "perfscale" in line)
    return json.loads(re.search(r'msg="(\{.*\})" source', line).group(1).replace('\\"', '"'))


def requests_of(rows, metric="http_req_duration"):
    return [row for row in rows if row["metric_name"] == metric]


def journeys_of(rows):
    """Count (journey, outcome) of every journey that started."""
    tags = [parse_qs(row["extra_tags"]) for row in requests_of(rows, "journey_duration")]
    return Counter((tag["journey"][0], tag["outcome"][0]) for tag in tags)


@pytest.fixture(scope="module")
def closed(k6, filled, window_s, tmp_path_factory):
    """Run one training and one browsing VU, for so long that both complete a journey."""
    config = load_config(filled.url, profile={"kind": "closed", "concurrency": 2}, think_time_s=0.1, window_s=window_s)
    ended = run_k6(k6, LOAD, tmp_path_factory.mktemp("closed"), config=config, samples=True)
    assert ended.code == 0, ended.log
    return ended


def test_every_operation_passes(closed):
    statuses = {(row["name"], row["status"]) for row in requests_of(closed.rows())}
    assert statuses == {(name, "200") for name in TRAINING + BROWSING}


def test_requests_carry_tenant_and_journey(closed):
    for row in requests_of(closed.rows()):
        metadata = parse_qs(row["metadata"])
        assert metadata["tenant"][0] in {"tenant-1", "tenant-2", "tenant-3"}
        assert row["name"] in (TRAINING if metadata["journey"] == ["training"] else BROWSING)
        assert row["error_code"] == ""


def test_duration_and_waiting_are_close_rows(closed):
    rows = closed.rows()
    at = [index for index, row in enumerate(rows) if row["metric_name"] == "http_req_duration"]
    for index in at:
        waiting = next(row for row in rows[index:index + 9] if row["metric_name"] == "http_req_waiting")
        assert (waiting["name"], waiting["timestamp"]) == (rows[index]["name"], rows[index]["timestamp"])
        assert 0 <= float(waiting["metric_value"]) <= float(rows[index]["metric_value"])


def test_log_and_summary_contain_the_window(closed, window_s):
    window = window_of(closed)
    assert window["start_ms"] - window["warmup_start_ms"] == 1000
    assert window["end_ms"] - window["start_ms"] == window_s * 1000
    assert closed.json("summary.json")["data"]["setup_data"] == window


def test_vus_stop_when_the_window_ends(closed):
    window = window_of(closed)
    rows = closed.rows()
    starts = [int(row["timestamp"]) - float(row["metric_value"]) for row in requests_of(rows)]
    # Timestamps are whole milliseconds.
    assert min(starts) > window["warmup_start_ms"] - 1
    assert max(starts) < window["end_ms"] + SLACK_MS
    outcomes = journeys_of(rows)
    assert {outcome for _journey, outcome in outcomes} <= {"completed", "interrupted"}
    assert sum(n for (_journey, outcome), n in outcomes.items() if outcome == "interrupted") <= 2
    first = sum(1 for row in requests_of(rows) if row["name"] in ("list_workspaces", "create_experiment"))
    assert sum(outcomes.values()) == first


def test_heartbeat_beats_through_the_window(closed, window_s):
    beats = requests_of(closed.rows(), "heartbeat_lateness")
    assert 9 * window_s <= len(beats) <= 10 * (window_s + 1)
    assert {row["scenario"] for row in requests_of(closed.rows())} == {"training", "browsing"}


def test_summary_has_the_legacy_format(closed):
    summary = closed.json("summary.json")
    assert (summary["concurrency"], summary["tenants"]) == (2, 3)
    metrics = summary["data"]["metrics"]
    counts = Counter(row["name"] for row in requests_of(closed.rows()))
    for name in TRAINING + BROWSING:
        assert metrics[f"{name}_passed"]["values"]["count"] == counts[name]
        assert metrics[f"{name}_failed"]["values"]["count"] == 0
        assert set(metrics[f"{name}_response_time"]["values"]) == {"avg", "min", "med", "max", "p(90)", "p(95)"}
    assert metrics["http_reqs"]["values"]["count"] == sum(counts.values())
    assert not [name for name in metrics if "{name:" in name]


def test_legacy_environment_by_hand(k6, filled, tmp_path):
    env = {"MLFLOW_URL": filled.url, "MLFLOW_TOKEN": "canary-token", "TENANT_COUNT": "2", "CONCURRENCY": "3", "DURATION": "0m3s"}
    ended = run_k6(k6, LOAD, tmp_path, env=env)
    assert ended.code == 0, ended.log
    summary = ended.json("summary_tenants-2_concurrency_3.json")
    assert summary["data"]["metrics"]["http_reqs"]["values"]["count"] > 0
    assert "canary-token" not in ended.log + json.dumps(summary)


def test_one_vu_draws_its_journey(any_k6, filled, tmp_path):
    config = load_config(filled.url, profile={"kind": "closed", "concurrency": 1}, training_share=0.5, think_time_s=0, window_s=6)
    ended = run_k6(any_k6, LOAD, tmp_path, config=config, samples=True)
    assert ended.code == 0, ended.log
    assert {row["scenario"] for row in requests_of(ended.rows())} == {"mixed"}
    assert sum(journeys_of(ended.rows()).values()) >= 1


def test_open_profile_reports_what_it_dropped(k6, filled, tmp_path):
    config = load_config(filled.url, profile={"kind": "open", "rate": 40, "users_max": 2}, window_s=3)
    ended = run_k6(k6, LOAD, tmp_path, config=config, samples=True)
    assert ended.code == 0, ended.log
    dropped = requests_of(ended.rows(), "dropped_iterations")
    assert {row["scenario"] for row in dropped} == {"training", "browsing"}
    started = sum(journeys_of(ended.rows()).values())
    arrivals = started + sum(float(row["metric_value"]) for row in dropped)
    assert 150 <= arrivals <= 165  # 40 per second for four seconds
    assert ended.json("summary.json")["rate"] == 40
