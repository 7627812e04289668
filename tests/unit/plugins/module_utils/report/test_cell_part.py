# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the page about one cell: what its files say, and what is named where they are absent, changed or of another form."""

from __future__ import annotations

import gzip

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import file_digest, read_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.report import cell_part
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.cell_files import BINS, read_cell_files
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.cell_part import cell_parts
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import build_model
from fakes.cell_files import write_cell_files
from fakes.report_sources import read_sources
from fakes.run_factory import edit_record, write_run

CELL = "t1-c5-r1"


@pytest.fixture(name="run")
def fixture_run(tmp_path):
    return write_cell_files(write_run(tmp_path / "run", tenants=(1, 10), concurrency=(5,), errors=0.2))


def contents(run):
    return read_cell_files(run / "cells" / CELL, read_sealed(run / "cells" / CELL / "cell.json"))


def parts_of(run):
    return {part.title: part for part in cell_parts(build_model(read_sources([run])), run / "report")}


def replace(run, name, content):
    """Write another file and name its checksum, as if it had been recorded so."""
    path = run / "cells" / CELL / name
    path.write_bytes(content)
    edit_record(run / "cells" / CELL / "cell.json", files={name: file_digest(path)})


def test_files_are_read(run):
    found = contents(run)
    assert found.missing == []
    assert (found.seconds[0], found.bucket_s, len(found.per_second["p95_ms"])) == (-5, 1, 65)
    assert set(found.components) == {"cpu", "memory"}
    assert len(found.components["cpu"]["mlflow"][0]) == 60


def test_every_sample_of_the_window_is_in_a_bin(run):
    found = contents(run)
    assert len(found.edges) == BINS + 1
    assert sum(map(sum, found.histograms.values())) == 600


def test_the_figures_of_a_cell_read_no_samples(run):
    (run / "cells" / CELL / "samples.csv.gz").unlink()
    assert contents(run).missing == []


def test_a_cell_of_an_older_version_is_drawn_from_its_samples(run):
    content = (run / "cells" / CELL / "samples.csv.gz").read_bytes()
    bins = contents(run)
    replace(run, "samples.csv.gz", content)
    older = contents(run)
    assert {name: sum(counts) for name, counts in older.histograms.items()} == {name: sum(counts) for name, counts in bins.histograms.items()}
    assert older.edges[-1] == pytest.approx(bins.edges[-1], rel=0.02)


def test_a_long_cell_is_thinned_out(run):
    lines = [f"{second},window,10,0,{second % 7}.0,{second % 50}.0" for second in range(3600)]
    replace(run, "timeline.csv", "\n".join(["second,phase,completed,failed,p50_ms,p95_ms", *lines]).encode())
    found = contents(run)
    assert (len(found.seconds), found.bucket_s) == (240, 15)
    assert found.per_second["p95_ms"][0] == 14.0
    assert found.per_second["completed"][0] == 10.0


def test_the_total_of_instances_is_taken(run):
    rows = [f"1795475000.0,cpu,mlflow,{instance},{value}" for instance, value in (("pod-1", 1.0), ("pod-2", 2.0), ("", 3.0))]
    replace(run, "series.csv", "\n".join(["timestamp,metric,component,instance,value", *rows]).encode())
    assert contents(run).components == {"cpu": {"mlflow": ([0.0], [3.0])}}


BROKEN = [
    pytest.param("timeline.csv", b"", id="empty"),
    pytest.param("timeline.csv", b"one,two\n1,2\n", id="other columns"),
    pytest.param("timeline.csv", b"\xff\xfe\x00\x01", id="bytes"),
    pytest.param("latencies.csv", b"one,two\n1,2\n", id="other bins"),
    pytest.param("samples.csv.gz", b"no archive", id="no archive"),
    pytest.param("samples.csv.gz", gzip.compress(b"operation,duration_ms,phase\n" * 999)[:40], id="half an archive"),
]


@pytest.mark.parametrize(("name", "content"), BROKEN)
def test_a_broken_file_is_named(run, name, content):
    replace(run, name, content)
    [sentence] = [text for text in contents(run).missing if text.startswith(name)]
    assert "cannot be used (" in sentence


def test_a_file_that_was_changed_is_named(run):
    path = run / "cells" / CELL / "series.csv"
    path.write_bytes(path.read_bytes() + b"\n")
    assert contents(run).missing == ["series.csv: cannot be used (changed since it was recorded)"]


def test_texts_instead_of_numbers_are_gaps(run):
    replace(run, "samples.csv.gz", gzip.compress(b"operation,duration_ms,phase\nget_run,much,window\nget_run,inf,window\nget_run,5,window\n"))
    assert sum(contents(run).histograms["get_run"]) == 1


def test_absent_files_are_named(tmp_path):
    part = parts_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5,)))[CELL]
    assert part.missing == [f"{name}: not in this copy of the run" for name in ("timeline.csv", "series.csv", "samples.csv.gz")]
    assert part.figures == []


def test_a_part_has_figures_tables_and_files(run):
    part = parts_of(run)["t10-c5-r1"]
    assert [figure.title for figure in part.figures] == ["Over time", "Distribution of latency by operation", "P95 of every tenant"]
    assert {table[0].partition(":")[0] for table in part.tables} == {"Operations", "Failed requests by cause", "Journeys", "Components", "Attempts"}
    assert ("timeline.csv", "../cells/t10-c5-r1/timeline.csv") in part.files


def test_the_timeline_marks_warm_up_and_window_and_has_the_components(run):
    chart = parts_of(run)[CELL].figures[0].charts[0]
    for text in ("warm-up", "window", "CPU in cores", "memory in MiB", "failed requests per second", "Cell t1-c5-r1 over time."):
        assert text in chart, text


def test_generators_that_shared_the_load_are_listed(run):
    member = {
        "shard": 2, "name": "k6-2", "node": "node-b", "exit_code": 137, "reason": "OOMKilled", "is_complete": False, "n": 200, "failed": 0, "rate_per_s": 20.0,
        "p50_ms": 10.0, "p95_ms": 25.5, "lateness_ms_p99": 1.5, "cpu_s": 3.2, "memory_bytes_max": 2**27, "start_skew_s": 0.08, "lost": None,
    }  # fmt: skip
    edit_record(run / "cells" / CELL / "cell.json", shards={"planned": 2, "start_skew_s": 0.08, "deviations": [], "members": [member]})
    [rows] = [table[2] for table in parts_of(run)[CELL].tables if table[0].startswith("Generators")]
    assert rows == [["2", "node-b", "incomplete (OOMKilled)", "200", "20.0", "10.0", "25.5", "0", "1.50", "3.20", "128", "0.0800"]]


def test_rows_of_the_database_are_compared(run):
    edit_record(run / "cells" / CELL / "cell.json", rows={"before": {"runs": 30, "tags": 5}, "after": {"runs": 42}})
    [rows] = [table[2] for table in parts_of(run)[CELL].tables if table[0] == "Rows of the database"]
    assert rows == [["runs", "30", "42", "12"], ["tags", "5", "–", "–"]]


def test_a_failed_cell_has_its_attempts_and_the_end_of_its_log(tmp_path):
    run = write_cell_files(write_run(tmp_path / "run", tenants=(1,), concurrency=(5,), verdicts={CELL: "failed"}))
    attempt = run / "cells" / CELL / "attempts" / "1"
    attempt.mkdir(parents=True)
    (attempt / "k6.log").write_bytes(b"x" * 9000 + b"\x1b[31mkilled\n")
    part = parts_of(run)[CELL]
    assert (part.state, part.evidence) == ("invalid", "failed: there is no measurement")
    assert [name for name, _text in part.logs] == ["attempts/1/k6.log", "k6.log"]
    assert part.logs[0][1].endswith("x\\x1b[31mkilled\n")
    assert len(part.logs[0][1]) < 3100


def test_a_link_to_another_place_is_not_read(tmp_path):
    run = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,), verdicts={CELL: "failed"})
    (tmp_path / "secret").write_text("secret")
    (run / "cells" / CELL / "k6.log").symlink_to(tmp_path / "secret")
    assert (parts_of(run)[CELL].logs, [name for name, _link in parts_of(run)[CELL].files]) == ([], ["cell.json"])


def test_names_of_files_are_quoted_in_links(run):
    (run / "cells" / CELL / "a b#.txt").write_text("")
    assert ("a b#.txt", "../cells/t1-c5-r1/a%20b%23.txt") in parts_of(run)[CELL].files


def test_beyond_a_number_of_cells_only_those_that_need_it_are_drawn(run, monkeypatch):
    monkeypatch.setattr(cell_part, "DRAWN_MAX", 1)
    edit_record(run / "cells" / "t10-c5-r1" / "cell.json", verdict={"status": "invalid", "reasons": ["why"], "warnings": []})
    parts = parts_of(run)
    assert (len(parts["t10-c5-r1"].figures), parts[CELL].figures, parts[CELL].tables) == (3, [], [])
    assert parts[CELL].missing == ["figures and tables, which the page has for 1 cells at most"]
