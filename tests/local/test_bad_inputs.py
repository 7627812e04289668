# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: one clear sentence with cause and remedy, nothing started, nothing written, exit code not 0."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest

from fakes.fake_mlflow import FakeMlflow

from .conftest import ONE_CELL


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(name="suite", scope="module")
def fixture_suite(suite_in):
    return suite_in("bad-input")


def output(finished):
    """Return the output in one line: Ansible breaks long sentences."""
    return " ".join(finished.stdout.split())


@pytest.mark.parametrize(
    ("variables", "env", "sentence"),
    [
        pytest.param({"test_matrix_preset": "huge"}, {}, "Preset huge: is unknown. Allowed: calibration, capacity, noise_floor, noisy_neighbour", id="preset"),
        pytest.param({"test_matrix_file": "none.yml"}, {}, "Matrix file none.yml: does not exist.", id="matrix-file"),
        pytest.param({"test_matrix_file": "/etc/passwd"}, {}, "Matrix file /etc/passwd: ", id="matrix-of-another-kind"),
        pytest.param({"test_matrix_slo_file": "/nowhere.yml"}, {}, "Objectives file /nowhere.yml: not readable", id="objectives-file"),
        pytest.param({"alert_profile": "/nowhere.yml"}, {}, "Alert profile /nowhere.yml: not readable", id="alert-profile"),
        pytest.param({"test_matrix_validity_file": "/nowhere.yml"}, {}, "Validity file /nowhere.yml: not readable", id="validity-file"),
        pytest.param({"test_matrix_concurrency": 0}, {}, "Axis concurrency: 0 is not allowed.", id="concurrency-zero"),
        pytest.param({"test_matrix_repeats": 0}, {}, "Setting repeats: 0 is not allowed. Give one whole number from 1 up.", id="repeats-zero"),
        pytest.param({"test_matrix_repeats": 50, "test_matrix_duration": "1000h"}, {}, "MiB free, the run may need", id="repeats-beyond-the-disk"),
        pytest.param({"test_matrix_concurrency": "many"}, {}, "is not allowed. Give whole numbers from 1 up", id="concurrency-text"),
        pytest.param({}, {"TEST_DURATION": "ten"}, "is not a duration. Write seconds or a number with a unit", id="duration"),
        pytest.param({}, {"DB_BACKEND": "oracle"}, "Database oracle: unknown.", id="database"),
        pytest.param({"metrics_profile": "nice"}, {}, "Metrics profile nice: unknown.", id="metrics-profile"),
        pytest.param({"report_formats": "csv,png"}, {}, "csv, markdown, junit, openmetrics, charts, html. Got no match for: png", id="report-formats"),
        pytest.param({"k6_runner_live": "influxdb"}, {}, "prometheus_rw, got: influxdb", id="live-metrics"),
        pytest.param({"local_stack_k6": "/nowhere/k6"}, {}, "k6", id="k6-missing"),
        pytest.param({"deploy_environment": "moon"}, {}, "moon", id="environment"),
        pytest.param({"run_id": "../up"}, {}, "../up: is not allowed", id="run-id"),
        pytest.param({"resume": "latest"}, {}, "names no run", id="nothing-to-resume"),
    ],
)
def test_the_suite_rejects(suite, variables, env, sentence):
    finished = suite.play("full_suite", variables, env=env)
    assert finished.returncode != 0
    assert sentence in output(finished)
    assert "Traceback" not in finished.stdout
    assert not suite.results.exists()
    assert not suite.processes()


def test_every_problem_is_named_at_once(suite):
    url = f"http://127.0.0.1:{unused_port()}"
    variables = {"test_matrix_tenants": "x", "results_dir": "/dev/null/results"}
    finished = suite.play("preflight", variables, env={"MLFLOW_URL": url, "MLFLOW_TOKEN": "canary-f00d-token"})
    assert finished.returncode != 0
    for sentence in ("Axis tenants: 'x' is not allowed", "metrics_profile=none", "/dev/null", url):
        assert sentence in output(finished)
    assert "canary-f00d-token" not in finished.stdout


def test_an_unreachable_prometheus_is_named_before_anything_starts(suite):
    url = f"http://127.0.0.1:{unused_port()}"
    finished = suite.play("full_suite", {}, env={"PROMETHEUS_URL": url})
    assert finished.returncode != 0
    assert url in finished.stdout
    assert not suite.processes()


def test_the_state_of_a_database_of_others_is_not_reset(suite):
    with FakeMlflow() as server:
        finished = suite.play("full_suite", {"state_reset": "cell", "metrics_profile": "none"}, env={"MLFLOW_URL": server.url})
    assert finished.returncode != 0
    assert "State reset cell: the database of this MLflow is neither one of the local stack nor" in output(finished)
    assert "Set state_reset to never, or leave it out." in output(finished)
    assert {method for method, _path, _workspace in server.calls} == {"GET"}
    assert not suite.results.exists()


def test_run_matrix_without_a_deployment_fails_with_the_remedy(suite):
    finished = suite.play("run_matrix", {"run_id": "undeployed"})
    assert finished.returncode != 0
    assert "has no target.json. Run playbooks/deploy.yml" in output(finished)


def test_one_hour_and_a_half_is_a_duration(suite):
    finished = suite.play("run_matrix", {"test_matrix_duration": "1h30m", "test_matrix_tenants": 1, "test_matrix_concurrency": 5}, "--check")
    assert finished.returncode == 0
    assert "1 h 30 min of load" in output(finished)


def test_an_old_folder_with_nothing_usable_is_rejected(suite, tmp_path):
    (tmp_path / "summary_tenants-1_concurrency_5.json").write_text("{half", encoding="utf-8")
    finished = suite.play("report", {"report_results_dir": str(tmp_path), "report_output_dir": str(tmp_path / "report")})
    assert finished.returncode != 0
    assert "Traceback" not in finished.stdout


@pytest.fixture(name="small_disk")
def fixture_small_disk(tmp_path):
    """A file system of 400 KiB of this test's own."""
    mount = tmp_path / "small"
    mount.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(mount)], check=False, capture_output=True)
    if os.geteuid() != 0 or mounted.returncode != 0:
        pytest.skip("only root may mount the small file system")
    yield mount
    subprocess.run(["umount", "--lazy", str(mount)], check=True)


def test_a_full_disk_is_named_and_the_exit_code_is_not_zero(smoke, small_disk):
    suite, _finished = smoke
    rejected = suite.play("full_suite", {**ONE_CELL, "results_dir": str(small_disk), "run_id": "too-small"})
    assert rejected.returncode != 0
    assert "MiB free" in output(rejected)
    filled = suite.play("full_suite", {**ONE_CELL, "results_dir": str(small_disk), "run_id": "filled", "preflight_results_bytes": 0})
    assert filled.returncode != 0
    assert "disk is full" in output(filled) or "No space left on device" in output(filled) or "no space left on device" in output(filled)
    assert "Traceback" not in filled.stdout
