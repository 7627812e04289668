# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts and objectives of records."""

from __future__ import annotations

import email.utils
import re
import time
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.cell import measured_record
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.verdict import evaluate_objectives, evaluate_rules
from fakes.fake_prometheus import FakePrometheus, success

ROOT = Path(__file__).resolve().parents[5]
MACHINE = {"cores": 2, "used_cores": 1.2, "generator_cores": 0.1, "generator_wait_ms": 0.5}
SLOWEST = {"tenant": "tenant-3", "n": 40, "p50_ms": 250.0}
OUTAGE = {"tenant": "tenant-3", "without_success_s": 14.0, "failed": 9, "tenants": 1}


START = {"status": "restored", "reason": None, "baseline": {"rows": {"runs": 30, "tags": 120}}}
ROWS = {"before": {"runs": 30, "tags": 120}, "after": {"runs": 33, "tags": 123}}


def change(parts, path, value):
    """Set a value deep in the parts; the path is dotted."""
    *above, last = path.split(".")
    for key in above:
        parts = parts[key]
    parts[last] = value


@pytest.mark.parametrize(
    ("path", "value", "status", "sentence"),
    [
        pytest.param("exit.exit_code", 107, "invalid", "generator_exit_code: 107; allowed is at most 0.", id="k6-exit-code"),
        pytest.param("result.partial", True, "invalid", "partial_samples", id="partial"),
        pytest.param("result.operations.get_run.n", 4, "valid", "", id="few-samples-of-an-operation-that-no-objective-selects"),
        pytest.param("result.stall_s", 5.0, "invalid", "stall_share: 0.25; allowed is at most 0.2.", id="long-stall"),
        pytest.param("result.stall_s", 2.0, "valid", "stall_share: 0.1; allowed is at most 0.05.", id="stall-warns"),
        pytest.param("result.stall_s", 0.4, "valid", "", id="no-stall"),
        pytest.param("result.tenants", {"judged": 5, "worst_p95": None, "slowest": {**SLOWEST, "ratio": 8.9}}, "valid", "tenant-3 8.9; allowed", id="slow"),
        pytest.param("result.tenants", {"judged": 5, "worst_p95": None, "slowest": {**SLOWEST, "ratio": 2.9}}, "valid", "", id="no-slow-tenant"),
        pytest.param("clock_offset_s", -60.0, "invalid", "clock_skew_share: 2.925; allowed is at most 0.2.", id="clocks-a-minute-apart"),
        pytest.param("clock_offset_s", 3.0, "valid", "clock_skew_share: 0.075; allowed is at most 0.05.", id="clocks-apart-warns"),
        pytest.param("clock_offset_s", 1.4, "valid", "", id="clocks-as-exact-as-a-date"),
        pytest.param("resources.k6_benchmark.throttled_ratio", 0.1, "invalid", "throttled_ratio: k6_benchmark 0.1; allowed", id="throttled-generator"),
        pytest.param("resources.mlflow.throttled_ratio", 0.6, "valid", "throttled_ratio: mlflow 0.6; allowed", id="throttled-server-warns"),
        pytest.param("result.generator.lateness_ms_p95", 10.0, "valid", "generator_delay_share: 0.4; allowed is at most 0.1.", id="starved-generator-warns"),
        pytest.param("result.generator.lateness_ms_p95", 2.0, "valid", "", id="delay-of-a-timer"),
        pytest.param("result.machine", {**MACHINE, "used_cores": 1.7}, "valid", "others_cpu_share: 0.3; allowed is at most 0.15.", id="busy-machine-warns"),
        pytest.param("result.machine", MACHINE, "valid", "", id="machine-of-its-own"),
        pytest.param("result.machine", {**MACHINE, "generator_wait_ms": 6.0}, "valid", "generator_wait_share: 0.5; allowed", id="waiting-warns"),
        pytest.param("result.machine", {**MACHINE, "generator_wait_ms": None}, "valid", "", id="wait-unknown"),
        pytest.param("result.mix", {"training_share_journeys": 1.0}, "valid", "", id="mix-drift-within-chance"),
        pytest.param("result.total.failed", 15, "invalid", "error_ratio: 0.75", id="most-requests-failed"),
        pytest.param("result.total.failed", 1, "valid", "error_ratio: 0.05", id="some-requests-failed-warns"),
        pytest.param("result.outage_s", 5.0, "invalid", "outage_share: 0.25; allowed is at most 0.2.", id="outage"),
        pytest.param("result.outage_s", 2.0, "valid", "outage_share: 0.1; allowed is at most 0.05.", id="short-outage-warns"),
        pytest.param("result.outage_s", 0.0, "valid", "", id="no-outage"),
        pytest.param("result.tenant_outage", {**OUTAGE, "outage_s": 13.0}, "invalid", "tenant_outage_share: tenant-3 0.65; allowed is", id="dead-tenant"),
        pytest.param("result.tenant_outage", {**OUTAGE, "outage_s": 2.0}, "valid", "tenant_outage_share: tenant-3 0.1; allowed", id="absent-tenant-warns"),
        pytest.param("result.tenant_outage", {**OUTAGE, "outage_s": 0.5}, "valid", "", id="blip-of-a-tenant"),
        pytest.param("result.tenant_outage", None, "valid", "", id="every-tenant-served"),
        pytest.param("notes", {"missing_tenants": ["tenant-3"]}, "invalid", "tenants_missing: tenant-3. These tenants", id="missing-tenant"),
        pytest.param(
            "notes", {"missing_tenants": [f"tenant-{n}" for n in range(1, 9)]}, "invalid", "tenant-5 and 3 more. These tenants", id="missing-tenants"
        ),
        pytest.param("notes", {"missing_tenants": []}, "valid", "", id="no-missing-tenant"),
        pytest.param("result.total.failed_by", {"connection": 3}, "invalid", "connection_error_ratio: 0.15", id="server-gone"),
        pytest.param(
            "result.wrong_answers",
            {"seen": 3, "by_kind": {"body": 1, "type": 2}, "estimated": 10},
            "valid",
            "wrong_answer_share: (body 1, type 2) 0.5; allowed",
            id="wrong-answers-warn",
        ),
        pytest.param("result.wrong_answers", {"seen": 0, "by_kind": {}, "estimated": 0}, "valid", "", id="no-wrong-answers"),
        pytest.param("result.samples", {"rows": 800, "lost": 200, "unreadable": 0}, "invalid", "lost_sample_share: 0.2; allowed", id="lost-rows"),
        pytest.param("result.samples", {"rows": 8000, "lost": 0, "unreadable": 1}, "valid", "lost_sample_share: 0.000125", id="unreadable-row-warns"),
        pytest.param("result.samples", {"rows": 8000, "lost": None, "unreadable": 0}, "valid", "", id="lost-rows-unknown"),
        pytest.param("result.silent_repeats", {"get_run": 3}, "valid", "silent_repeat_share: (get_run 3) 0.15; allowed", id="silent-repeats-warn"),
        pytest.param("result.silent_repeats", {}, "valid", "", id="no-silent-repeats"),
        pytest.param("notes", {"warnings": ["Summary of d: missing."]}, "valid", "Summary of d: missing.", id="warning-of-a-stage"),
        pytest.param("resources.mlflow", {"status": "missing", "coverage": 0.0}, "invalid", "resources_missing: mlflow.", id="missing-resources"),
        pytest.param("resources.mlflow.coverage", 0.4, "invalid", "resource_coverage: mlflow 0.4; allowed is at least 0.5.", id="low-coverage"),
        pytest.param("resources.k6_benchmark.coverage", 0.33, "valid", "resource_coverage: k6_benchmark 0.33; allowed is at least 0.9.", id="idle-generator"),
        pytest.param("resources.mlflow.coverage", 0.8, "valid", "resource_coverage: mlflow 0.8; allowed is at least 0.9.", id="gap-warns"),
        pytest.param("resources.mlflow.restarts", 1, "invalid", "server_restarts: 1", id="restart"),
        pytest.param("resources.mlflow.instances_started", 1.0, "invalid", "server_restarts: 1", id="replaced-pod"),
        pytest.param("resources.k6_benchmark.cpu_cores_mean", 1.9, "invalid", "generator_cpu_share: 0.95", id="saturated-generator"),
        pytest.param("result.generator.lateness_ms_p99", 400.0, "valid", "generator_lateness_p99_ms: 400", id="late-generator-warns"),
        pytest.param("result.steadiness", {"findings": ["P95 rose by 38 %"]}, "valid", "not_steady: P95 rose by 38 %. The numbers", id="drift-warns"),
        pytest.param("result.shards", {"deviations": ["shard 3 (node-b) had 1.42 times the P50 of the others"]}, "valid",
                     "shard_deviation: shard 3 (node-b) had 1.42 times the P50 of the others. Shards share", id="slow-shard-warns"),
        pytest.param("notes", {"foreign_workspaces": ["tenant-9"]}, "valid", "foreign_workspaces: 1; allowed is at most 0.", id="foreign-workspace-warns"),
        pytest.param("notes", {"tls_verify": False}, "valid", "tls_not_verified: found.", id="tls-off-warns"),
        pytest.param("resources", {"mlflow": {"status": "not_requested"}}, "valid", "", id="not-requested-is-valid"),
    ],
)
def test_verdict(plan, parts, rules, path, value, status, sentence):
    change(parts, path, value)
    record = measured_record(plan["cells"][0], {}, parts)
    verdict = evaluate_rules(record, rules)
    assert verdict["status"] == status
    assert sentence in " ".join(verdict["reasons"] + verdict["warnings"])
    assert bool(verdict["reasons"]) == (status == "invalid")


@pytest.mark.parametrize(
    ("start", "rows", "status", "sentence"),
    [
        pytest.param(START, ROWS, "valid", "", id="equal"),
        pytest.param(START, {**ROWS, "before": {"runs": 31, "tags": 120}}, "invalid", "start_differs: runs 31 instead of 30 rows.", id="a-row-more"),
        pytest.param(START, {**ROWS, "before": {"runs": 30}}, "invalid", "start_differs: tags 0 instead of 120 rows.", id="a-table-less"),
        pytest.param(START, {**ROWS, "before": None}, "invalid", "start_differs: rows could not be counted.", id="uncounted"),
        pytest.param({**START, "status": "continued"}, {**ROWS, "before": {"runs": 31}}, "valid", "", id="continued-level"),
        pytest.param({"status": "never", "reason": "Why.", "baseline": None}, ROWS, "valid", "", id="never"),
    ],
)
def test_a_start_that_differs_from_the_baseline(plan, parts, rules, start, rows, status, sentence):
    verdict = evaluate_rules(measured_record(plan["cells"][0], {}, {**parts, "start_state": start, "rows": rows}), rules)
    assert verdict["status"] == status
    assert sentence in " ".join(verdict["reasons"])


@pytest.mark.parametrize(("shift", "status"), [pytest.param(-60, "invalid", id="a-minute-behind"), pytest.param(0, "valid", id="the-same")])
def test_a_prometheus_whose_clock_is_off_makes_the_cell_invalid(plan, parts, rules, shift, status):
    with FakePrometheus() as server:
        server.responses = [(*success("vector", []), {"Date": email.utils.formatdate(time.time() + shift, usegmt=True)})]
        client = PrometheusClient(server.url)
        client.instant("up", 1020, "up")
    verdict = evaluate_rules(measured_record(plan["cells"][0], {}, {**parts, "clock_offset_s": client.clock_offset_s}), rules)
    assert verdict["status"] == status
    assert [reason.partition(":")[0] for reason in verdict["reasons"]] == ["clock_skew_share"] * (status == "invalid")


@pytest.mark.parametrize(
    ("version", "served", "warnings"),
    [
        pytest.param("3.17.2", 1024, ["unrecorded_share: (MLflow 1024, k6 1000, of which 2 twice) 0.019"], id="unrecorded"),
        pytest.param("3.17.2", 1005, [], id="requests-of-the-controller"),
        pytest.param("3.17.2", 900, ["unserved_share: (MLflow 900, k6 1000, of which 2 twice) 0.09"], id="unserved"),
        pytest.param("3.16.0rc1", 1000, [], id="artifacts-are-not-counted-from-here-on"),
        pytest.param("3.15.1", 1200, [], id="artifacts-are-counted"),
        pytest.param("3.9.0", 1300, ["unrecorded_share: (MLflow 1300, k6 1200, of which 3 twice) 0.07917"], id="unrecorded-with-artifacts"),
        pytest.param("3.17.2", None, [], id="server-counts-nothing"),
        pytest.param(None, 900, [], id="version-unknown"),
    ],
)
def test_the_servers_own_count_is_compared(plan, parts, rules, version, served, warnings):
    parts["resources"]["mlflow"]["requests_served"] = served
    verdict = evaluate_rules(measured_record(plan["cells"][0], {"mlflow_version": version}, parts), rules)
    assert verdict["status"] == "valid"
    assert [warning.partition("; allowed")[0] for warning in verdict["warnings"]] == warnings


def test_cells_that_are_published_warn_that_nothing_was_restored(plan, parts, rules):
    start = {"status": "never", "reason": "Nothing can be restored here.", "baseline": None}
    verdict = evaluate_rules(measured_record(plan["cells"][0], {}, {**parts, "start_state": start}), rules, preset="publish")
    assert any(warning.startswith("state_not_reset: Nothing can be restored here. ") for warning in verdict["warnings"])


def test_few_samples_of_an_operation_that_an_objective_selects_are_invalid(plan, parts, rules):
    parts["result"]["operations"] = {name: {**parts["result"]["operations"]["get_run"], "n": 4} for name in ("create_run", "get_run")}
    verdict = evaluate_rules(measured_record(plan["cells"][0], {}, parts), rules, objectives=[{"name": "o", "select": "get_run"}])
    assert verdict["reasons"][0].startswith("operation_samples: get_run 4; allowed is at least 5.")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("result.generator.lateness_ms_p95", 10.0),
        ("result.machine", {**MACHINE, "used_cores": 1.7}),
        ("result.machine", {**MACHINE, "generator_wait_ms": 6.0}),
    ],
)
def test_a_busy_machine_is_invalid_in_the_preset_publish(plan, parts, rules, path, value):
    change(parts, path, value)
    assert evaluate_rules(measured_record(plan["cells"][0], {}, parts), rules, "publish")["status"] == "invalid"


@pytest.mark.parametrize(
    ("profile", "share", "started", "sentences"),
    [
        pytest.param("closed", 0.5, 400, ["mix_drift: 0.24; allowed is at most 0.2."], id="closed"),
        pytest.param("closed", 0.4, 400, [], id="closed-within-its-limit"),
        pytest.param("open", 0.4, 400, ["mix_drift: 0.14; allowed is at most 0.05."], id="open"),
        pytest.param("open", 0.5, 16, [], id="open-within-chance"),
    ],
)
def test_mix_drift_is_judged_beyond_chance(plan, parts, rules, profile, share, started, sentences):
    parts["result"]["mix"] = {"training_share_journeys": share}
    parts["result"]["journeys"]["training"]["started"] = started
    record = measured_record({**plan["cells"][0], "training_share": 0.2}, {}, parts)
    record["spec"]["profile"] = profile
    warnings = evaluate_rules(record, rules)["warnings"]
    assert [warning[: len(sentence)] for warning, sentence in zip(warnings, sentences, strict=True)] == sentences


@pytest.mark.parametrize(
    ("changes", "limited_by"),
    [
        pytest.param({}, "users_max or server", id="unknown"),
        pytest.param({"congestion": 1.1}, "users_max", id="requests-take-as-long-as-before"),
        pytest.param({"congestion": 2.4}, "server", id="requests-take-longer"),
        pytest.param({"congestion": 2.4, "generator.lateness_ms_p95": 10.0}, "generator", id="late-generator"),
    ],
)
def test_dropped_journeys_name_their_culprit(plan, parts, rules, changes, limited_by):
    for path, value in changes.items():
        change(parts, f"result.{path}", value)
    parts["result"]["journeys"]["training"].update(started=30, dropped=10)
    record = measured_record({**plan["cells"][0], "profile": "open", "rate": 2.0, "concurrency": None}, {}, parts)
    assert record["offered"] == {"rate_per_s": 2.0, "started_per_s": 1.5, "dropped_share": 0.25, "limited_by": limited_by}
    assert any(f"dropped_share: limited by {limited_by} 0.25; allowed is at most 0.01." in reason for reason in evaluate_rules(record, rules)["reasons"])


def test_a_few_dropped_journeys_warn(plan, parts, rules):
    parts["result"]["journeys"]["training"].update(started=995, dropped=5)
    record = measured_record({**plan["cells"][0], "profile": "open", "rate": 50.0, "concurrency": None}, {}, parts)
    assert "dropped_share: limited by users_max or server 0.005" in " ".join(evaluate_rules(record, rules)["warnings"])


@pytest.mark.parametrize("resources", [{}, {"mlflow": {"status": "not_requested"}}, {"mlflow": {"status": "missing", "cpu_cores_mean": None}}])
def test_what_others_used_is_unknown_without_the_cpu_of_each_component(plan, parts, rules, resources):
    parts["result"]["machine"] = {**MACHINE, "used_cores": 1.9}
    parts["resources"] = resources
    verdict = evaluate_rules(measured_record(plan["cells"][0], {}, parts), rules)
    assert "others_cpu_share" not in " ".join(verdict["reasons"] + verdict["warnings"])


def test_rules_may_be_narrowed_and_ignored(plan, parts):
    parts["result"]["journeys"]["training"]["dropped"] = 3
    record = measured_record(plan["cells"][0], {}, parts)
    rule = {"finding": "dropped_journeys", "max": 0, "effect": "invalid", "remedy": "Lower the rate."}
    assert evaluate_rules(record, [rule])["status"] == "invalid"
    assert evaluate_rules(record, [{**rule, "profile": ["open"]}])["status"] == "valid"
    assert evaluate_rules(record, [{**rule, "preset": ["seed"]}], "smoke")["status"] == "valid"
    assert evaluate_rules(record, [{**rule, "effect": "ignore"}])["status"] == "valid"


@pytest.mark.parametrize(
    ("objective", "status", "value"),
    [
        pytest.param({"select": "total", "metric": "p95_ms", "max": 30}, "met", 25.0, id="met"),
        pytest.param({"select": "get_run", "metric": "p95_ms", "max": 20}, "missed", 25.0, id="operation-missed"),
        pytest.param({"select": "total", "metric": "p99_ms", "max": 20}, "unknown", None, id="unknown-is-not-met"),
        pytest.param({"select": "total", "metric": "goodput_per_s", "min": 0.5}, "met", 1.0, id="minimum"),
        pytest.param({"select": "training", "metric": "p50_ms", "max": 800}, "missed", 900.0, id="journey"),
        pytest.param({"select": "total", "metric": "max_ms", "max": 20}, "missed", 30.0, id="maximum"),
        pytest.param({"select": "total", "metric": "stall_s", "max": 1}, "missed", 2.5, id="stall"),
        pytest.param({"select": "total", "metric": "worst_tenant_p95_ms", "max": 100}, "missed", 301.0, id="worst-tenant"),
        pytest.param({"select": "mlflow", "metric": "cpu_cores", "max": 2}, "met", 1.0, id="cpu"),
    ],
)
def test_objectives(plan, parts, objective, status, value):
    parts["result"].update(stall_s=2.5, tenants={"judged": 2, "worst_p95": {"tenant": "tenant-3", "n": 40, "p95_ms": 301.0}, "slowest": None})
    record = measured_record(plan["cells"][0], {}, parts)
    [result] = evaluate_objectives([{"name": "o", **objective}], record)
    assert (result["status"], result["value"]) == (status, value)


@pytest.mark.parametrize(("select", "metric"), [("total", "worst_tenant_p95_ms"), ("total", "stall_s"), ("postgresql", "cpu_cores")])
def test_an_objective_about_what_was_not_measured_is_unknown(plan, parts, select, metric):
    parts["resources"]["postgresql"] = {"status": "missing"}
    record = measured_record(plan["cells"][0], {}, parts)
    assert evaluate_objectives([{"name": "o", "select": select, "metric": metric, "max": 1}], record)[0]["status"] == "unknown"


def test_the_documented_limit_is_the_written_one(plan, parts):
    documented = re.search(r"`limit` \(a text such as `([^`]+)`\)", (ROOT / "docs" / "data_model.md").read_text(encoding="utf-8"))
    record = measured_record(plan["cells"][0], {}, parts)
    [result] = evaluate_objectives([{"name": "o", "select": "total", "metric": "p95_ms", "max": 2000}], record)
    assert documented[1] == result["limit"]


ALERT = {"name": "CPU of <groupname> is <value>", "select": "alerts", "metric": "series", "max": 0, "severity": "error", "expr": "cpu > 1"}
FIRED = {"at": 1.0, "value": 1.5, "text": "CPU of mlflow is 1.5"}


@pytest.mark.parametrize(
    ("found", "status", "value", "details"),
    [
        pytest.param({"series": 0, "fired": [], "reason": None}, "met", 0, "", id="quiet"),
        pytest.param({"series": 1, "fired": [FIRED], "reason": None}, "missed", 1, "CPU of mlflow is 1.5", id="fired"),
        pytest.param({"series": 30, "fired": [{**FIRED, "text": "a"}] * 20, "reason": None}, "missed", 30, "a; a; a; and 27 more series", id="many"),
        pytest.param({"series": None, "fired": [], "reason": "No answer."}, "unknown", None, "No answer.", id="unknown"),
        pytest.param(None, "unknown", None, "The cell was measured without this alert, or without a Prometheus. Measure it again.", id="not-evaluated"),
    ],
)
def test_an_alert_is_an_objective(plan, parts, found, status, value, details):
    parts["alerts"] = [{"name": ALERT["name"], "expr": ALERT["expr"], **found}] if found else []
    [result] = evaluate_objectives([ALERT], measured_record(plan["cells"][0], {}, parts))
    assert result == {
        "name": ALERT["name"], "cell": plan["cells"][0]["id"], "metric": "alerts.series", "value": value, "limit": "<= 0", "status": status,
        "severity": "error", "details": details,
    }  # fmt: skip


def test_an_alert_whose_expression_has_changed_is_unknown(plan, parts):
    parts["alerts"] = [{"name": ALERT["name"], "expr": "cpu > 2", "series": 0, "fired": [], "reason": None}]
    [result] = evaluate_objectives([ALERT], measured_record(plan["cells"][0], {}, parts))
    assert result["status"] == "unknown"


@pytest.mark.parametrize(("select", "metric"), [("nothing", "p95_ms"), ("total", "speed"), ("training", "error_ratio")])
def test_an_objective_needs_a_measured_number(plan, parts, select, metric):
    with pytest.raises(ValueError, match=r"is not measured\. Select one of total, create_run"):
        evaluate_objectives([{"name": "o", "select": select, "metric": metric, "max": 1}], measured_record(plan["cells"][0], {}, parts))
