# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job on the embedded default: deploy, prefill, matrix, metrics, report."""

from __future__ import annotations

import csv
import gzip
import json
import re

import pytest
from junitparser import JUnitXml

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient
from programs.dashboard import queries

from .conftest import SMOKE

CELLS = ["t1-c5-r1", "t1-c10-r1", "t5-c5-r1", "t5-c10-r1"]
TRAINING = "create_experiment create_prompt create_prompt_version create_run log_metric log_parameter log_artifact update_run_status"
BROWSING = "list_workspaces search_prompts search_experiments get_experiment search_runs get_run list_artifacts fetch_artifact"
CHARTS = [
    *["summary_dashboard", "response_times_by_concurrency", "response_times_by_tenants", "rps_by_concurrency", "rps_by_tenants", "throughput_heatmap"],
    *["response_times_p95_heatmap", "passed_counts", "cpu_utilization", "memory_utilization", "mlflow_cpu_by_concurrency", "mlflow_cpu_by_tenants"],
]
TABLES = ["summary", "p95_latencies", "rps", "latency_analysis_by_tenants", "latency_analysis_summary"]


def test_the_suite_ends_well_with_four_valid_cells(smoke):
    suite, finished = smoke
    assert finished.returncode == 0
    run = suite.run_json()
    assert run["status"] == "complete"
    assert [(cell["id"], cell["verdict"]["status"]) for cell in run["cells"]] == [(cell, "valid") for cell in CELLS]
    assert (suite.results / "latest").resolve().name == "smoke"


@pytest.mark.parametrize("cell_id", CELLS)
def test_every_operation_is_sampled_in_each_window(smoke, cell_id):
    operations = smoke[0].cell(cell_id)["operations"]
    assert set(operations) == {*TRAINING.split(), *BROWSING.split()}
    assert [name for name, block in operations.items() if not block["n"]] == []


@pytest.mark.parametrize("cell_id", CELLS)
def test_no_operation_fails_against_a_healthy_server(smoke, cell_id):
    cell = smoke[0].cell(cell_id)
    assert {name: block["failed_by"] for name, block in cell["operations"].items() if block["failed"]} == {}
    assert cell["total"]["n"] == sum(block["n"] for block in cell["operations"].values())


@pytest.mark.parametrize("cell_id", CELLS)
def test_resources_are_measured(smoke, cell_id):
    resources = smoke[0].cell(cell_id)["resources"]
    for component in ("mlflow", "k6_benchmark"):
        assert resources[component]["status"] == "ok"
        assert resources[component]["coverage"] > 0.8
        assert 0 < resources[component]["cpu_cores_mean"] <= resources[component]["cpu_cores_peak"] * 1.1
        assert resources[component]["memory_bytes_peak"] >= resources[component]["memory_bytes_mean"] > 1e7


@pytest.mark.parametrize("cell_id", CELLS)
def test_mlflow_counted_what_k6_recorded(smoke, cell_id):
    cell = smoke[0].cell(cell_id)
    assert cell["sent"]["n"] == cell["samples"]["rows"]
    counted = {key: cell["sent"][key] - cell["sent"]["artifacts"][key] for key in ("n", "repeated")}
    assert counted["n"] > 0
    assert cell["resources"]["mlflow"]["requests_served"] == pytest.approx(counted["n"] + counted["repeated"], abs=5)


@pytest.mark.parametrize("cell_id", CELLS)
def test_the_files_of_a_cell_are_there(smoke, cell_id):
    directory = smoke[0].results / "latest" / "cells" / cell_id
    tenants, users = cell_id[1:].split("-c")[0], cell_id.split("-c")[1].split("-")[0]
    pressed = {f"summary_tenants-{tenants}_concurrency_{users}.json", f"metrics_{tenants}_concurrency_{users}.csv"}
    named = {"samples.csv.gz", "tenants.csv", "series.csv", "k6.log", *pressed}
    assert named <= set(smoke[0].cell(cell_id)["files"])
    assert {"cell.json", "state.json"} <= {path.name for path in directory.iterdir()}
    assert not (directory / "raw.csv").exists()


def test_the_samples_are_the_numbers(smoke):
    cell = smoke[0].cell("t5-c10-r1")
    with gzip.open(smoke[0].results / "latest" / "cells" / "t5-c10-r1" / "samples.csv.gz", "rt", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["phase"] == "window"]
    assert len(rows) == cell["total"]["n"]
    assert {row["tenant"] for row in rows} == {f"tenant-{number}" for number in range(1, 6)}
    assert all(cell["window"]["start"] * 1000 - 1 <= int(row["start_ms"]) <= cell["window"]["end"] * 1000 + 1 for row in rows)


def test_the_summary_has_the_old_form(smoke):
    path = smoke[0].results / "latest" / "cells" / "t1-c5-r1" / "summary_tenants-1_concurrency_5.json"
    summary = json.loads(path.read_text(encoding="utf-8"))
    assert (summary["tenants"], summary["concurrency"]) == (1, 5)
    assert summary["data"]["metrics"]["create_run_passed"]["values"]["count"] > 0
    assert summary["data"]["metrics"]["create_run_failed"]["values"]["count"] == 0
    assert set(summary["data"]["metrics"]["create_run_response_time"]["values"]) >= {"avg", "min", "med", "max", "p(90)", "p(95)"}


def test_the_mix_and_the_users_are_as_declared(smoke):
    cell = smoke[0].cell("t1-c10-r1")
    assert cell["mix"]["training_share_users"] == pytest.approx(0.2)
    assert cell["generator"]["vus_max"] >= 10


def test_the_rows_of_our_database_are_counted(smoke):
    cell = smoke[0].cell("t1-c5-r1")
    assert cell["rows"]["after"]["runs"] > cell["rows"]["before"]["runs"] > 0
    assert cell["database_bytes"]["after"] >= cell["database_bytes"]["before"] > 0
    assert cell["notes"]["missing_tenants"] == []
    assert cell["tenant_outage"] is None
    assert cell["notes"]["disturbances"] == []


@pytest.mark.parametrize("cell_id", CELLS)
def test_every_cell_starts_from_the_baseline_of_its_level(smoke, cell_id):
    cell = smoke[0].cell(cell_id)
    assert (cell["start_state"]["state_reset"], cell["start_state"]["status"]) == ("cell", "restored")
    assert cell["start_state"]["baseline"]["tenants"] == cell["spec"]["tenants"]
    assert {table: count for table, count in cell["rows"]["before"].items() if count} == cell["start_state"]["baseline"]["rows"]


def test_the_report_is_whole(smoke):
    report = smoke[0].results / "latest" / "report"
    named = [f"chart_{name}.png" for name in CHARTS] + [f"report_{name}.csv" for name in TABLES] + ["index.html", "summary.md", "verdict.json", "metrics.prom"]
    assert {name for name in named if not (report / name).is_file()} == set()
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://127.0.0.1", "").replace("http://www.w3.org", "")
    assert "https://" not in page
    assert (report / "index.html").stat().st_size < 3_000_000


def test_alerts_of_kube_burner_are_objectives_of_every_cell(smoke):
    served, processes = "MLflow serves <value> requests/s", "<groupname> has <value> processes"
    found = {(row["cell"], row["name"]): row for row in smoke[0].run_json()["objectives"] if row["metric"] == "alerts.series"}
    assert {(*key, row["status"]) for key, row in found.items()} == {
        *((cell, served, "missed") for cell in CELLS), *((cell, processes, "met") for cell in CELLS),
    }  # fmt: skip
    assert re.fullmatch(r"MLflow serves [\d.]+ requests/s", found["t1-c5-r1", served]["details"])


def test_the_test_cases_agree_with_the_exit_code(smoke):
    suites = JUnitXml.fromfile(str(smoke[0].results / "latest" / "report" / "junit.xml"))
    assert (suites.failures, suites.errors, suites.skipped) == (0, 0, len(CELLS))
    assert suites.tests == 1 + 5 * len(CELLS)


@pytest.mark.parametrize("name", [*queries("MLflow"), *queries("Processes")])
def test_the_dashboard_finds_what_the_local_stack_measures(smoke, name):
    client = PrometheusClient(smoke[0].target()["prometheus"]["url"])
    assert client.instant(queries(interval="10s")[name], smoke[0].cell("t5-c10-r1")["window"]["end"], name)["result"] != []


def test_the_fingerprint_names_the_versions(smoke):
    fingerprint = smoke[0].run_json()["fingerprint"]
    text = json.dumps(fingerprint)
    assert "3.17" in text
    assert {"data_set_digest", "plan_digest", "script_digest", "packages", "kernel", "cores", "k6", "database"} <= set(fingerprint)


def test_progress_is_shown(smoke):
    assert "cell 4 of 4 t5-c10-r1" in smoke[1].stdout
    assert "of load left in the run" in smoke[1].stdout


def test_the_console_has_few_lines_and_ends_with_the_verdict(smoke):
    suite, finished = smoke
    lines = finished.stdout.rstrip("\n").splitlines()
    assert len(lines) <= 60
    assert [line for line in lines if "RETRYING" in line or "TASK" in line or "Origin" in line] == []
    assert "  No problems found (" in finished.stdout
    assert f"  MLflow: {suite.target()['mlflow']['url']}" in lines
    assert len([line for line in lines if line.startswith("  Plan smoke: 4 cells, 2 min 40 s of load, about ")]) == 1
    assert "  Run smoke: passed, 4 of 4 cells are valid." in lines[-5:]
    assert lines[-1] == f"    Report: {suite.results / 'smoke' / 'report' / 'index.html'}"


def test_the_log_has_every_task(smoke):
    log = smoke[0].results / "smoke" / "ansible.log"
    assert log.stat().st_mode & 0o777 == 0o600
    text = log.read_text(encoding="utf-8")
    assert " PLAYBOOK full_suite.yml\n" in text
    assert text.count(" TASK ") > 200
    assert " RECAP localhost " in text


def test_the_same_run_id_has_nothing_left_to_do(smoke):
    suite, _finished = smoke
    before = suite.cell("t5-c10-r1")
    again = suite.play("full_suite", SMOKE)
    assert again.returncode == 0
    assert "0 of 4 cells to run" in again.stdout
    assert suite.cell("t5-c10-r1") == before


def test_another_plan_under_the_same_run_id_is_rejected(smoke):
    suite, _finished = smoke
    rejected = suite.play("full_suite", {"run_id": "smoke", "test_matrix_duration": "7s"})
    assert rejected.returncode != 0
    assert "was planned differently" in rejected.stdout
    assert "Acquire the state directory" not in rejected.stdout, "it is rejected before anything is deployed"
    assert "duration_s: 35.0 -> 7.0" in " ".join(rejected.stdout.split())
    assert suite.run_json()["status"] == "complete"


def test_everything_listens_on_loopback_only(smoke):
    listening = {
        connection.laddr.ip
        for process in smoke[0].processes()
        for connection in process.net_connections(kind="inet")
        if connection.status == "LISTEN"
    }
    assert listening == {"127.0.0.1"}


def test_check_mode_shows_the_plan_and_writes_nothing(smoke):
    suite, _finished = smoke
    before = sorted(path.name for path in suite.results.iterdir())
    checked = suite.play("run_matrix", {"run_id": "only-planned", "test_matrix_preset": "seed"}, "--check")
    assert checked.returncode == 0
    assert "16 cells in this order: t1-c5-r1" in " ".join(checked.stdout.split())
    assert sorted(path.name for path in suite.results.iterdir()) == before


def test_metrics_of_a_past_window_can_be_collected_alone(smoke):
    suite, _finished = smoke
    window = suite.cell("t5-c10-r1")["window"]
    collected = suite.play(
        "collect_metrics",
        {
            "monitoring_prometheus_url": suite.target()["prometheus"]["url"],
            "monitoring_profile": "local",
            "monitoring_window_start": window["start"],
            "monitoring_window_end": window["end"],
            "monitoring_csv_file": str(suite.directory / "past.csv"),
        },
    )
    assert collected.returncode == 0
    assert "mlflow,cpu,avg,cores," in (suite.directory / "past.csv").read_text(encoding="utf-8")


def test_the_report_can_be_created_alone(smoke):
    suite, _finished = smoke
    made = suite.play("report", {"report_results_dir": str(suite.results / "smoke"), "report_output_dir": str(suite.directory / "again")})
    assert made.returncode == 0
    assert (suite.directory / "again" / "index.html").is_file()
