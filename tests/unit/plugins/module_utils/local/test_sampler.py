# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the sampler with real processes, and of what is computed from its samples."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import sampler as program
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.samples import METRICS, SamplesError, measurements, read_samples
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.collection import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import load_profile
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.resources import resources
from fakes.waiting import wait_until

ROOT = Path(__file__).parents[5]
WINDOW = Window(100.0, 120.0)
BUSY = "import sys, time\nblock = bytearray(32 * 2**20)\nend = time.process_time() + float(sys.argv[2])\nwhile time.process_time() < end: pass\ntime.sleep(60)"


@pytest.fixture(name="busy")
def fixture_busy() -> Iterator[Callable[[str, float], subprocess.Popen[bytes]]]:
    """Start a process with a text in its command line that uses some CPU seconds and 32 MiB, and then sleeps."""
    started = []

    def start(mark: str, cpu_s: float) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-S", "-c", BUSY, mark, str(cpu_s)]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def rows_by_group(sampler: program.Sampler) -> dict[str, tuple[float, ...]]:
    return {row[1]: (row[2], row[3], row[4], row[5]) for row in sampler.sample()}


def test_a_new_process_counts_from_its_start(busy: Callable[..., subprocess.Popen[bytes]], tmp_path: Path) -> None:
    sampler = program.Sampler({"group": str(tmp_path)})
    assert rows_by_group(sampler)["group"] == (0.0, 0, 0, 0.0)
    process = psutil.Process(busy(str(tmp_path), 0.5).pid)
    wait_until(lambda: sum(process.cpu_times()[:2]) >= 0.5)
    cpu, memory, count, oldest = rows_by_group(sampler)["group"]
    assert cpu == pytest.approx(sum(process.cpu_times()[:2]), abs=0.05)
    assert memory > 32 * 2**20
    assert (count, oldest) == (1, process.create_time())


def test_a_process_that_ran_before_counts_from_the_first_look(busy: Callable[..., subprocess.Popen[bytes]], tmp_path: Path) -> None:
    process = psutil.Process(busy(str(tmp_path), 0.3).pid)
    wait_until(lambda: sum(process.cpu_times()[:2]) >= 0.3)
    sampler = program.Sampler({"group": str(tmp_path)})
    assert rows_by_group(sampler)["group"][0] == pytest.approx(0, abs=0.02)


def test_children_belong_to_their_parent_and_what_ended_stays_counted(busy: Callable[..., subprocess.Popen[bytes]], tmp_path: Path) -> None:
    sampler = program.Sampler({"group": str(tmp_path)})
    # Of what runs at the first sample only the CPU from then on counts.
    assert rows_by_group(sampler)["group"][2] == 0
    code = "import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', sys.argv[2], 'other', '0.2'])"
    parent = subprocess.Popen([sys.executable, "-S", "-c", code, str(tmp_path), BUSY], start_new_session=True)
    try:
        wait_until(lambda: rows_by_group(sampler)["group"][2] == 2)
        wait_until(lambda: rows_by_group(sampler)["group"][0] >= 0.2)
    finally:
        for process in psutil.Process(parent.pid).children():
            process.kill()
        parent.wait()
    wait_until(lambda: rows_by_group(sampler)["group"][2] == 0)
    assert rows_by_group(sampler)["group"][0] >= 0.2


def test_it_runs_as_a_program_of_its_own(busy: Callable[..., subprocess.Popen[bytes]], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"interval_s": 0.1, "file": str(tmp_path / "samples.csv"), "groups": {"group": "mark-of-the-group"}}))
    busy("mark-of-the-group", 0.1)
    process = subprocess.Popen([sys.executable, program.__file__, str(tmp_path / "config.json")])
    try:
        wait_until(lambda: (tmp_path / "samples.csv").is_file() and len(read_samples(str(tmp_path / "samples.csv"), 0, 1e12).get("group", [])) > 5)
    finally:
        process.terminate()
        process.wait()
    found = read_samples(str(tmp_path / "samples.csv"), 0, 1e12)
    assert {sample.processes for sample in found["group"]} == {1}
    assert found["sampler"][-1].cpu_seconds > 0


def write(path: Path, *lines: tuple[object, ...]) -> str:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(lines)
    return str(path)


def test_a_counter_goes_on_where_the_sampler_was_started_again(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", (1, "a", 5, 1, 1, 9), (2, "a", 7, 1, 1, 9), (3, "a", 1, 1, 1, 9), (4, "a", 2, 1, 1, 9))
    with open(path, "a", encoding="utf-8") as stream:
        stream.write("5,a,3")
    assert [sample.cpu_seconds for sample in read_samples(path, 0, 10)["a"]] == [5, 7, 8, 9]
    assert [sample.timestamp for sample in read_samples(path, 2, 3)["a"]] == [2, 3]


def test_samples_that_are_gone_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SamplesError, match=r"Samples .*none.csv: not readable \(No such file or directory\). Deploy the local stack again"):
        read_samples(str(tmp_path / "none.csv"), 0, 1)


def measured(tmp_path: Path, sample: Callable[[int], tuple[float, float, int, float] | None]) -> tuple[dict[str, dict[str, float]], list[str], list[str]]:
    """Return the resources of component `mlflow`, errors and warnings; `sample` gives (cpu, bytes, processes, oldest start) at a second, or None."""
    path = write(tmp_path / "s.csv", *((second, "group", *row) for second in range(60, 180) if (row := sample(second))))
    return resources(["mlflow"], measurements(read_samples(path, 0, 1e6), {"mlflow": "group"}, WINDOW, 1.0), WINDOW.seconds)


def test_the_figures_of_a_window(tmp_path: Path) -> None:
    # Half a core, with four seconds at two cores; memory grows by 1 MB a second.
    def cpu(second: int) -> float:
        return 0.5 * second + 1.5 * min(4, max(0, second - 110))

    found, errors, warnings = measured(tmp_path, lambda second: (cpu(second), 1e6 * second, 2, 50.0))
    assert (errors, warnings) == ([], [])
    record = found["mlflow"]
    assert record["cpu_cores_mean"] == pytest.approx(0.5 + 6 / 20)
    assert record["cpu_cores_peak"] == pytest.approx(2.0)
    assert (record["memory_bytes_mean"], record["memory_bytes_peak"]) == (110e6, 120e6)
    assert (record["coverage"], record["restarts"], record["instance_count_max"], record["status"]) == (1.0, 0.0, 2.0, "ok")


def test_samples_between_which_the_window_begins_and_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", *((second + 0.5, "group", 2.0 * second, 1, 1, 5) for second in range(90, 130)))
    found, _errors, _warnings = resources(["mlflow"], measurements(read_samples(path, 0, 1e6), {"mlflow": "group"}, WINDOW, 1.0), WINDOW.seconds)
    assert found["mlflow"]["cpu_cores_mean"] == pytest.approx(2.0)


def test_a_restart_and_a_gap_are_seen(tmp_path: Path) -> None:
    gap = range(105, 115)
    found, _errors, _warnings = measured(tmp_path, lambda second: (float(second), 1e6, 0, 0.0) if second in gap else (float(second), 1e6, 1, second // 110))
    assert found["mlflow"]["restarts"] == 1
    assert found["mlflow"]["coverage"] == pytest.approx(11 / 20)


@pytest.mark.parametrize("nothing", [lambda _second: None, lambda _second: (0.0, 0, 0, 0.0)], ids=["no-samples", "no-process"])
def test_what_was_not_seen_is_missing(tmp_path: Path, nothing: Callable[[int], tuple[float, float, int, float] | None]) -> None:
    found, errors, _warnings = measured(tmp_path, nothing)
    assert (found["mlflow"]["status"], found["mlflow"]["cpu_cores_mean"]) == ("missing", None)
    assert any("has no samples in the window for component mlflow" in error for error in errors)


def test_names_fields_and_units_are_those_of_the_shipped_profile() -> None:
    shipped = {entry.metric: entry for entry in load_profile(str(ROOT / "files/metrics_profiles/local.yml"))}
    for metric in METRICS:
        other = shipped[metric.entry.metric]
        assert (metric.entry.field, metric.entry.unit, metric.entry.instant) == (other.field, other.unit, other.instant)
    # Every figure of a component that the profile has is there, but for what only MLflow itself counts.
    assert {entry.field for entry in shipped.values() if entry.field} - {"requests_served"} == {metric.entry.field for metric in METRICS if metric.entry.field}
