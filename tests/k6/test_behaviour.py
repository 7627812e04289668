# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How VUs behave towards a server that is down, fails, or responds at once (a simulated one)."""

from __future__ import annotations

import json
import socket
from collections import Counter
from urllib.parse import parse_qs

import pytest

from fakes.k6_configs import load_config, prefill_config
from fakes.simulated_mlflow import failing, simulated_url
from programs.k6 import LOAD, PREFILL, run_k6

VUS = 20
WINDOW_S = 4


def rows_of(ended, metric):
    return [row for row in ended.rows() if row["metric_name"] == metric]


@pytest.fixture
def closed_port() -> str:
    """Yield a URL of a closed port: bound, so that no other process takes it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def load_of_failures(url, tmp_path, k6):
    config = load_config(url, profile={"kind": "closed", "concurrency": VUS}, warmup_s=0, window_s=WINDOW_S)
    ended = run_k6(k6, LOAD, tmp_path, config=config, samples=True)
    assert ended.code == 0, ended.log
    requests = rows_of(ended, "http_req_duration")
    assert VUS <= len(requests) <= VUS * WINDOW_S
    return ended, requests


def test_vus_think_when_the_server_is_down(k6, closed_port, tmp_path):
    ended, requests = load_of_failures(closed_port, tmp_path, k6)
    assert {row["status"] for row in requests} == {"0"}
    assert all(1200 <= int(row["error_code"]) <= 1299 for row in requests)
    metrics = ended.json("summary.json")["data"]["metrics"]
    assert metrics["list_workspaces_failed"]["values"]["count"] > 0
    assert "list_workspaces_response_time" not in metrics


def test_vus_think_when_the_token_is_wrong(k6, tmp_path):
    token = tmp_path / "token"
    token.write_text("canary-token\n")
    with simulated_url(faults=[failing(401)]) as url:
        config_url = {"url": url, "token_file": str(token), "tls_verify": True}
        config = load_config(url, mlflow=config_url, profile={"kind": "closed", "concurrency": VUS}, warmup_s=0, window_s=WINDOW_S)
        ended = run_k6(k6, LOAD, tmp_path / "run", config=config, samples=True)
    requests = rows_of(ended, "http_req_duration")
    assert VUS <= len(requests) <= VUS * WINDOW_S
    assert {row["status"] for row in requests} == {"401"}
    assert "HTTP 401" in ended.log
    written = "".join(path.read_text() for path in (tmp_path / "run").iterdir())
    assert "canary-token" not in written


@pytest.fixture(name="tokens")
def fixture_tokens(tmp_path):
    """Return a file with a token for each of three tenants."""
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps({f"tenant-{number}": f"canary-token-{number}" for number in (1, 2, 3)}))
    return path


def test_each_tenant_carries_its_own_token(k6, tokens, tmp_path):
    with simulated_url(tokens=json.loads(tokens.read_text())) as url:
        config = load_config(url, mlflow={"url": url, "token_file": None, "token_map_file": str(tokens), "tls_verify": True})
        ended = run_k6(k6, LOAD, tmp_path / "run", config=config, samples=True)
    requests = rows_of(ended, "http_req_duration")
    assert {parse_qs(row["metadata"])["tenant"][0] for row in requests} == {"tenant-1", "tenant-2", "tenant-3"}
    assert {row["status"] for row in requests} == {"200"}
    assert "canary-token" not in "".join(path.read_text() for path in (tmp_path / "run").iterdir())


def test_prefill_carries_the_token_of_each_tenant(any_k6, tokens, tmp_path):
    with simulated_url(tokens=json.loads(tokens.read_text())) as url:
        mlflow = {"url": url, "token_file": None, "token_map_file": str(tokens), "tls_verify": True}
        ended = run_k6(any_k6, PREFILL, tmp_path / "run", config=prefill_config(url, mlflow=mlflow, tenants={"prefix": "tenant-", "numbers": [3, 1]}))
    assert ended.code == 0, ended.log
    assert ended.json("prefill_summary.json")["status"] == "complete"


def test_the_token_of_a_run_by_hand_may_lie_in_a_file(any_k6, tmp_path):
    (tmp_path / "token").write_text("canary-token\n")
    (tmp_path / "tokens.json").write_text('{"tenant-1": "canary-token"}')
    with simulated_url(tokens=json.loads((tmp_path / "tokens.json").read_text())) as url:
        env = {"MLFLOW_URL": url, "MLFLOW_TOKEN_FILE": str(tmp_path / "token"), "CONCURRENCY": "2", "DURATION": "2s"}
        ended = run_k6(any_k6, LOAD, tmp_path / "run", env=env, samples=True)
    assert ended.code == 0, ended.log
    assert {row["status"] for row in rows_of(ended, "http_req_duration")} == {"200"}


def test_user_and_password_are_an_alternative(any_k6, tmp_path):
    """As MLflow's own basic authentication wants them; they are nowhere in what k6 writes."""
    (tmp_path / "login").write_text("admin:canary-password\n")
    (tmp_path / "tokens.json").write_text(json.dumps({f"tenant-{number}": "admin:canary-password" for number in (1, 2, 3)}))
    with simulated_url(tokens=json.loads((tmp_path / "tokens.json").read_text())) as url:
        config = load_config(url, mlflow={"url": url, "token_file": str(tmp_path / "login"), "tls_verify": True})
        ended = run_k6(any_k6, LOAD, tmp_path / "run", config=config, samples=True)
    assert {row["status"] for row in rows_of(ended, "http_req_duration")} == {"200"}
    assert "canary-password" not in "".join(path.read_text() for path in (tmp_path / "run").iterdir())


@pytest.mark.parametrize("script", [LOAD, PREFILL], ids=["load", "prefill"])
def test_a_run_by_hand_without_its_tenants_says_what_to_run_first(k6, tmp_path, script):
    with simulated_url() as url:
        ended = run_k6(k6, script, tmp_path, env={"MLFLOW_URL": f"{url}/", "TENANT_COUNT": "15", "DURATION": "20s"}, samples=True, timeout=30)
    # An exception in an asynchronous setup has another code than one in a plain one.
    assert ended.code in (107, 255), ended.log
    assert f"Tenants tenant-11, tenant-12, tenant-13 and 2 more: absent from MLflow {url}. Create them first with ansible localhost" in ended.log
    assert len(rows_of(ended, "http_req_duration")) == 1


def test_a_run_by_hand_without_a_server_ends_at_once(any_k6, closed_port, tmp_path):
    ended = run_k6(any_k6, LOAD, tmp_path, env={"MLFLOW_URL": closed_port, "DURATION": "20s"}, timeout=30)
    assert ended.code == 107, ended.log
    assert f"MLflow {closed_port}: workspaces not listed (" in ended.log


def test_errors_cause_no_storm_of_requests(any_k6, tmp_path):
    with simulated_url(faults=[failing(503)]) as url:
        _ended, requests = load_of_failures(url, tmp_path, any_k6)
    assert {row["status"] for row in requests} == {"503"}


def test_a_redirect_is_a_failure(any_k6, tmp_path):
    with simulated_url(faults=[failing(302)]) as url:
        ended, requests = load_of_failures(url, tmp_path, any_k6)
    assert {(row["status"], row["expected_response"]) for row in requests} == {("302", "false")}
    assert ended.json("summary.json")["data"]["metrics"]["http_req_failed"]["values"]["rate"] == 1


def test_journey_goes_on_where_it_can(any_k6, tmp_path):
    with simulated_url(faults=[failing(500, operations=["create_prompt"])]) as url:
        config = load_config(url, profile={"kind": "closed", "concurrency": 1}, training_share=1, think_time_s=0.1, warmup_s=0)
        ended = run_k6(any_k6, LOAD, tmp_path, config=config, samples=True)
    names = Counter(row["name"] for row in rows_of(ended, "http_req_duration"))
    assert names["create_prompt"] >= 3
    assert names["create_prompt_version"] == 0
    assert names["update_run_status"] >= 3
    outcomes = {parse_qs(row["extra_tags"])["outcome"][0] for row in rows_of(ended, "journey_duration")}
    assert "failed" in outcomes
    assert "completed" not in outcomes


def journeys(ended):
    """Return the tenants of the browsing journeys in the order of their start."""
    first = [row for row in rows_of(ended, "http_req_duration") if row["name"] == "list_workspaces"]
    first.sort(key=lambda row: int(row["timestamp"]))
    return [parse_qs(row["metadata"])["tenant"][0] for row in first]


def open_journeys(k6, directory, **changes):
    shape = {
        "profile": {"kind": "open", "rate": 5, "users_max": 20},
        "tenants": {"prefix": "tenant-", "count": 50, "choice": {"distribution": "uniform"}},
    }
    with simulated_url() as url:
        ended = run_k6(k6, LOAD, directory, config=load_config(url, **(shape | changes)), samples=True)
    assert ended.code == 0, ended.log
    return ended


def test_same_seed_same_tenants(k6, tmp_path):
    one = journeys(open_journeys(k6, tmp_path / "1"))
    two = journeys(open_journeys(k6, tmp_path / "2"))
    other = journeys(open_journeys(k6, tmp_path / "3", seed=43))
    assert len(one) >= 15  # four of five journeys per second, for four seconds
    assert one[:14] == two[:14]
    assert one[:14] != other[:14]


def test_open_profile_starts_journeys_at_its_rate(any_k6, tmp_path):
    ended = open_journeys(any_k6, tmp_path, profile={"kind": "open", "rate": 2.5, "users_max": 20}, window_s=7)
    started = Counter(parse_qs(row["extra_tags"])["journey"][0] for row in rows_of(ended, "journey_duration"))
    assert started["browsing"] == pytest.approx(16, abs=1)  # 2 per second for eight seconds
    assert started["training"] == pytest.approx(4, abs=1)
    assert not rows_of(ended, "dropped_iterations")


def test_journeys_have_the_legacy_number_of_requests(any_k6, tmp_path):
    with simulated_url() as url:
        config = load_config(url, profile={"kind": "closed", "concurrency": 2}, training_share=0.5, think_time_s=0.5, warmup_s=0)
        ended = run_k6(any_k6, LOAD, tmp_path, config=config, samples=True)
    names = Counter(row["name"] for row in rows_of(ended, "http_req_duration"))
    begun = {"training": names["create_experiment"], "browsing": names["list_workspaces"]}
    finished = Counter(parse_qs(row["extra_tags"])["journey"][0] for row in rows_of(ended, "journey_duration") if "completed" in row["extra_tags"])
    requests = Counter(parse_qs(row["metadata"])["journey"][0] for row in rows_of(ended, "http_req_duration"))
    assert min(finished["training"], finished["browsing"]) >= 2
    for journey, size in (("training", 43), ("browsing", 58)):
        assert finished[journey] * size <= requests[journey] <= begun[journey] * size
