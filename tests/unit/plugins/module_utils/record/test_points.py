# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""points.json: percentiles of pooled samples, of the cells that count, and when there are none."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import numpy as np
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import K6ResultError
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.samples import COLUMNS
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import read_record
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.points import POINTS_NAME, write_points

SCHEMAS = Path(__file__).resolve().parents[5] / "files" / "schemas"


def write_samples(directory, durations, operation="get_run"):
    """Write samples: the given durations (ms) in the window, and others in the warm-up."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = [f"{n},{operation},browsing,tenant-1,200,,{duration:.2f},,window,0" for n, duration in enumerate(durations)]
    warmup = [f"{n},{operation},browsing,tenant-1,200,,9999.00,,warmup,0" for n in range(50)]
    with gzip.open(directory / "samples.csv.gz", "wt") as stream:
        stream.write("\n".join([",".join(COLUMNS), *warmup, *rows]) + "\n")


def record_of(repeat, status="valid", tenants=1, **notes):
    return {
        "id": f"t{tenants}-c5-r{repeat}", "spec": {"tenants": tenants, "concurrency": 5, "rate": None, "profile": "closed"},
        "verdict": {"status": status}, "notes": notes, "checksum": f"{repeat}" * 64,
    }


def pooled(tmp_path, records):
    write_points(tmp_path, {record["id"]: record for record in records}, SCHEMAS)
    return read_record(tmp_path / POINTS_NAME, "points", SCHEMAS)["points"]


@pytest.fixture(name="durations")
def fixture_durations(tmp_path):
    """Samples of three repeats of unequal size, the second one much slower."""
    chance, scales = random.Random(1), {1: (10, 900), 2: (60, 100), 3: (12, 500)}
    found = {repeat: [round(scale * chance.lognormvariate(0, 0.5), 2) for _ in range(n)] for repeat, (scale, n) in scales.items()}
    for repeat, values in found.items():
        write_samples(tmp_path / "cells" / f"t1-c5-r{repeat}", values)
    return found


@pytest.mark.parametrize("percent", [50, 95, 99])
def test_percentiles_are_those_of_the_pooled_samples(tmp_path, durations, percent):
    [point] = pooled(tmp_path, [record_of(repeat) for repeat in durations])
    every = [duration for values in durations.values() for duration in values]
    assert point["total"]["latency_ms"][f"p{percent}"] == pytest.approx(np.percentile(every, percent))
    assert point["operations"]["get_run"] == point["total"]
    assert point["total"]["n"] == len(every)


def test_they_are_not_those_of_percentiles(tmp_path, durations):
    [point] = pooled(tmp_path, [record_of(repeat) for repeat in durations])
    means = np.mean([np.percentile(values, 95) for values in durations.values()])
    assert abs(point["total"]["latency_ms"]["p95"] / means - 1) > 0.1


@pytest.mark.parametrize("other", [record_of(3, status="invalid"), record_of(3, disturbances=["a pod was created"]), record_of(3, tenants=5)])
def test_only_valid_undisturbed_repeats_of_the_point_are_pooled(tmp_path, durations, other):
    [point] = pooled(tmp_path, [record_of(1), record_of(2), other])
    assert point["cells"] == {"t1-c5-r1": "1" * 64, "t1-c5-r2": "2" * 64}
    assert point["total"]["n"] == len(durations[1]) + len(durations[2])


def test_without_repeats_the_file_goes(tmp_path, durations):
    pooled(tmp_path, [record_of(1), record_of(2)])
    write_points(tmp_path, {"t1-c5-r1": record_of(1)}, SCHEMAS)
    assert not (tmp_path / POINTS_NAME).exists()


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b""), gzip.compress(b"header\na,b\n")], ids=["no gzip", "empty", "other columns"])
def test_unreadable_samples_are_named(tmp_path, durations, content):
    (tmp_path / "cells" / "t1-c5-r2" / "samples.csv.gz").write_bytes(content)
    with pytest.raises(K6ResultError, match=r"t1-c5-r2/samples\.csv\.gz: cannot be read"):
        pooled(tmp_path, [record_of(1), record_of(2)])
