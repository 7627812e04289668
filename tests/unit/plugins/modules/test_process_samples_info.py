# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import time

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.perfscale.mlflow.plugins.modules import process_samples_info


def run_module(capsys, **options):
    with patch_module_args(options), pytest.raises(SystemExit) as ended:
        process_samples_info.main()
    return ended.value.code, json.loads(capsys.readouterr().out)


@pytest.fixture(name="window")
def fixture_window(tmp_path):
    """Samples of two groups around a window of ten seconds that has just ended: one at half a core, one without processes."""
    end = round(time.time()) - 5
    lines = [line for second in range(end - 30, end + 3) for line in (f"{second},mlflow,{second / 2},1000000,2,5", f"{second},gone,0,0,0,0")]
    (tmp_path / "samples.csv").write_text("\n".join(lines))
    return {"samples_file": str(tmp_path / "samples.csv"), "start": str(end - 10), "end": str(end)}


def test_measures_and_writes_the_files_that_a_prometheus_would_fill(window, tmp_path, capsys):
    files = {"csv_file": str(tmp_path / "metrics.csv"), "series_file": str(tmp_path / "series.csv")}
    code, result = run_module(capsys, components={"mlflow": "mlflow"}, csv_header={"Test ID": "t1"}, **window, **files)
    assert (code, result["errors"]) == (0, [])
    record = result["resources"]["mlflow"]
    assert (record["status"], record["source"], record["cpu_cores_mean"], record["memory_bytes_peak"]) == ("ok", "sampler", 0.5, 1e6)
    assert set(result["files"]) == set(files.values())
    assert "mlflow,cpu,avg,cores,0.5" in (tmp_path / "metrics.csv").read_text()
    series = (tmp_path / "series.csv").read_text().splitlines()
    assert series[0] == "timestamp,metric,component,instance,value"
    assert {line.split(",")[1] for line in series[1:]} == {"cpu", "memory", "process_count"}


def test_fails_with_what_is_missing_and_returns_the_rest(window, capsys):
    code, result = run_module(capsys, components={"mlflow": "mlflow", "k6_benchmark": "gone"}, **window)
    assert code == 1
    assert {name: record["status"] for name, record in result["resources"].items()} == {"mlflow": "ok", "k6_benchmark": "missing"}
    assert all("component k6_benchmark" in error for error in result["errors"])


def test_a_file_that_is_gone_is_a_sentence(window, tmp_path, capsys):
    code, result = run_module(capsys, components={"mlflow": "mlflow"}, **{**window, "samples_file": str(tmp_path / "none")})
    assert (code, result["resources"]["mlflow"]["status"]) == (1, "missing")
    assert result["msg"].startswith(f"Samples {tmp_path}/none: not readable")


def test_check_mode_writes_nothing(window, tmp_path, capsys):
    code, result = run_module(capsys, components={"mlflow": "mlflow"}, series_file=str(tmp_path / "series.csv"), _ansible_check_mode=True, **window)
    assert (code, result["files"], (tmp_path / "series.csv").exists()) == (0, [], False)
