# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The permanent files: rows and order of the samples, a disk that fails, tenants.csv."""

from __future__ import annotations

import csv
import errno
import gzip
import math

import numpy as np
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6 import samples
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.blocks import tenant_blocks
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import K6ResultError, read_raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import Kind
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.samples import COLUMNS, write_latencies, write_samples, write_tenants
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import Counted
from fakes.k6_raw_rows import HEADER, request

WINDOW = Window(1_795_000_001_000, 1_795_000_002_000)
TEXT = HEADER + "".join(
    (
        request(1_795_000_002_500, duration=2.0, status=503, error_code="1503"),
        request(1_795_000_001_020, duration=19.004, waiting=None, tenant="tenant-2"),
        request(1_795_000_001_010, duration=10.5, waiting=10.126, operation="create_run", journey="training"),
        request(1_795_000_000_990, duration=0.004),
    )
)


@pytest.fixture
def raw(tmp_path):
    (tmp_path / "raw.csv").write_text(TEXT)
    return read_raw(tmp_path / "raw.csv", 60_000)


def rows_of(path):
    with gzip.open(path, "rt", newline="") as stream:
        return list(csv.DictReader(stream))


def test_rows_are_sorted_by_start_with_their_phase(tmp_path, raw):
    written = write_samples(tmp_path / "samples.csv.gz", raw, WINDOW)
    rows = rows_of(tmp_path / "samples.csv.gz")
    assert tuple(rows[0]) == COLUMNS
    assert [tuple(row.values()) for row in rows] == [
        ("1795000000990", "get_run", "browsing", "tenant-1", "200", "", "0.00", "4.50", "warmup", "0"),
        ("1795000001000", "create_run", "training", "tenant-1", "200", "", "10.50", "10.13", "window", "0"),
        ("1795000001001", "get_run", "browsing", "tenant-2", "200", "", "19.00", "", "window", "0"),
        ("1795000002498", "get_run", "browsing", "tenant-1", "503", "1503", "2.00", "4.50", "tail", "0"),
    ]
    assert written == (4, (tmp_path / "samples.csv.gz").stat().st_size)


def test_equal_samples_result_in_equal_files(tmp_path, raw):
    for name in ("one.gz", "two.gz"):
        write_samples(tmp_path / name, raw, WINDOW)
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


def test_names_cannot_break_the_columns(tmp_path):
    (tmp_path / "raw.csv").write_text(HEADER + request(operation='"a,b"'))
    raw = read_raw(tmp_path / "raw.csv", 60_000)
    write_samples(tmp_path / "samples.csv.gz", raw, WINDOW)
    assert rows_of(tmp_path / "samples.csv.gz")[0]["operation"] == "a_b"


def test_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, raw, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(samples.gzip.GzipFile, "write", full)
    with pytest.raises(FileWriteError, match="the disk is full"):
        write_samples(tmp_path / "kept" / "samples.csv.gz", raw, WINDOW)
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_missing_row_is_noticed(tmp_path, raw):
    for column in raw.requests.columns.values():
        column.pop()
    with pytest.raises(K6ResultError, match="3 of 4 rows were read back"):
        write_samples(tmp_path / "samples.csv.gz", raw, WINDOW)
    assert not (tmp_path / "samples.csv.gz").exists()


def test_a_damaged_file_is_noticed(tmp_path, raw, monkeypatch):
    written = samples.write_atomic

    def damage(path, write):
        written(path, write)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)

    monkeypatch.setattr(samples, "write_atomic", damage)
    with pytest.raises(K6ResultError, match="raw file stays"):
        write_samples(tmp_path / "samples.csv.gz", raw, WINDOW)


def test_one_line_per_tenant(tmp_path):
    pools = {
        Kind("a", "", "tenant-1", 200, ""): Counted.of([100 * n for n in range(1, 6)]),
        Kind("a", "", "tenant-2", 500, ""): Counted.of([250]),
    }
    write_tenants(tmp_path / "tenants.csv", tenant_blocks(pools, 2), {"tenant-1": (2, 1)})
    assert (tmp_path / "tenants.csv").read_text().splitlines() == [
        "tenant,n,ok,failed,rate_per_s,p50_ms,p95_ms,max_ms,journeys_started,journeys_completed",
        "tenant-1,5,5,0,2.5,3.0,,5.0,2,1",
        "tenant-2,1,0,1,0.5,,,2.5,0,0",
    ]


def test_latencies_are_counted_within_one_percent(tmp_path):
    latencies = np.array([0, 1, 99, 100, 101, 5000, 5000, 60_000_000])
    write_latencies(tmp_path / "latencies.csv", {"get_run": Counted.of(latencies)})
    rows = list(csv.DictReader((tmp_path / "latencies.csv").open()))
    middles = [math.sqrt(float(row["low_ms"]) * float(row["high_ms"])) for row in rows for _request in range(int(row["requests"]))]
    assert middles == pytest.approx(np.maximum(latencies, 1) / 100, rel=0.01)
