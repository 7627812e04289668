# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what 64 cells cost: the plan of the matrix, and the report of a run whose cells have a million samples each, in a process of its own.

Goals: at most 20 s of processor time, which other programs do not change, and 1 GiB for the report, which reads no samples. Records are generated; the samples
of all cells are one file with many names.
"""

from __future__ import annotations

import argparse
import gzip
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import file_digest, read_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.samples import COLUMNS, SAMPLES_NAME
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import expand
from fakes.cell_files import write_cell_files
from fakes.run_factory import edit_record, write_run

ROOT = Path(__file__).resolve().parents[2]
GOAL_S, GOAL_BYTES = 20.0, 1 << 30
TENANTS, CONCURRENCY = (1, 5, 10, 50, 100, 200, 500, 1000), (5, 10, 20, 50, 100, 200, 500, 1000)
FORMATS = ("csv", "markdown", "charts", "html")
CALL = """
import sys
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.report import create_report
create_report([sys.argv[1]], sys.argv[2], sys.argv[5:], sys.argv[4], sys.argv[3])
"""


def write_samples(path: Path, rows: int) -> None:
    """Write a samples file of so many rows."""
    block = "".join(f"{1_795_000_000_000 + n},get_run,browsing,tenant-{n % 100},200,,{5 + n % 997 / 100:.2f},4.90,window,1\n" for n in range(10_000))
    with gzip.open(path, "wt", encoding="ascii") as stream:
        stream.write(",".join(COLUMNS) + "\n")
        for _block in range(rows // 10_000):
            stream.write(block)


def with_samples(run: Path, rows: int) -> Path:
    """Give every cell of a run a samples file of so many rows, and name it in its record."""
    samples = run.with_name("samples.csv.gz")
    write_samples(samples, rows)
    digest = file_digest(samples)
    for path in sorted(run.glob("cells/*/cell.json")):
        (path.parent / SAMPLES_NAME).unlink()
        os.link(samples, path.parent / SAMPLES_NAME)
        edit_record(path, files={**read_sealed(path)["files"], SAMPLES_NAME: digest})
    return run


def main() -> int:
    """Print the figures; return 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000, help="rows of each cell")
    chosen = parser.parse_args()
    matrix = yaml.safe_load((ROOT / "files/matrices/smoke.yml").read_text(encoding="utf-8"))
    began = time.perf_counter()
    plan = expand(matrix, {"tenants": list(TENANTS), "concurrency": list(CONCURRENCY)})
    print(f"plan_64_cells_ms {1000 * (time.perf_counter() - began):.1f} for {len(plan['cells'])} cells")
    with tempfile.TemporaryDirectory(prefix="report-64-") as directory:
        run = with_samples(write_cell_files(write_run(Path(directory) / "run", tenants=TENANTS, concurrency=CONCURRENCY), 2000), chosen.samples)
        output = Path(directory) / "report"
        began = time.perf_counter()
        arguments = [str(run), str(output), *(str(ROOT / "files" / name) for name in ("report", "schemas")), *FORMATS]
        subprocess.run([sys.executable, "-c", CALL, *arguments], check=True)
        seconds = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        memory, cpu = used.ru_maxrss * 1024, used.ru_utime + used.ru_stime
        page = (output / "index.html").stat().st_size / 1e6
    print(f"report_64_cells_seconds {seconds:.1f} ({cpu:.1f} CPU-s) with {chosen.samples} samples in each (goal <= {GOAL_S:g} CPU-s)")
    print(f"report_64_cells_memory_mb {memory / 1e6:.0f} (goal <= {GOAL_BYTES / 1e6:.0f}); page {page:.1f} MB")
    return 0 if cpu <= GOAL_S and memory <= GOAL_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
