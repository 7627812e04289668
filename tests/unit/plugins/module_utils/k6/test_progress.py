# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The incremental look at a growing raw file."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6 import progress
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.progress import Progress, read_progress


def test_whole_file(captured):
    raw = captured / "1.1.0" / "raw.csv"
    rows = raw.read_text().splitlines()
    failed = [row.split(",")[2].startswith("1") for row in rows if row.startswith("http_req_failed,")]
    assert read_progress(raw) == Progress(len(failed), sum(failed), raw.stat().st_size)
    assert sum(failed) == 4


@pytest.mark.parametrize("block", [100, 1 << 22], ids=["small blocks", "one block"])
@pytest.mark.parametrize("step", [1, 97, 1000], ids=str)
def test_pieces_add_up_wherever_they_are_cut(captured, tmp_path, monkeypatch, step, block):
    monkeypatch.setattr(progress, "_BLOCK", block)
    content = (captured / "1.1.0" / "raw.csv").read_bytes()[:1500]
    whole = read_progress_of(tmp_path, content)
    requests = failures = offset = 0
    grown = tmp_path / "raw.csv"
    for end in range(step, len(content) + step, step):
        grown.write_bytes(content[:end])
        seen = read_progress(grown, offset)
        requests, failures, offset = requests + seen.requests, failures + seen.failures, seen.offset
        assert offset <= end
    assert (requests, failures) == (whole.requests, whole.failures)
    assert read_progress(grown, offset) == Progress(0, 0, offset)


def read_progress_of(tmp_path, content):
    path = tmp_path / "whole.csv"
    path.write_bytes(content)
    return read_progress(path)


def test_a_new_shorter_file_is_counted_from_its_beginning(captured):
    raw = captured / "1.1.0" / "raw.csv"
    assert read_progress(raw, 10**9) == read_progress(raw)


def test_missing_file_counts_as_empty(tmp_path):
    assert read_progress(tmp_path / "raw.csv", 10) == Progress(0, 0, 0)


def test_empty_file_counts_as_empty(tmp_path):
    (tmp_path / "raw.csv").touch()
    assert read_progress(tmp_path / "raw.csv") == Progress(0, 0, 0)


def test_wrong_answers_are_failures(tmp_path):
    rows = b"http_req_failed,1800000000000,0.000000,,get_run\n" * 3 + b"wrong_answers,1800000000000,1.000000,,get_run\n"
    seen = read_progress_of(tmp_path, b"metric_name\n" + rows)
    assert (seen.requests, seen.failures) == (3, 1)
