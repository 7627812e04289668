# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print how long the report of 16 cells takes in a process of its own: whole (tables, summary, 12 charts, page), tables alone, and what is written after a
cell: tables, summary, and the page without the parts of cells. Print the size of the page.

Goals: at most 6 s for the whole, 1 s for the tables, 3 MB for the page. Records and files of the cells are generated.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fakes.cell_files import write_cell_files
from fakes.run_factory import write_run

ROOT = Path(__file__).resolve().parents[2]
GOAL_S, GOAL_TABLES_S, GOAL_PAGE_MB = 6.0, 1.0, 3.0
SAMPLES = 8000
TABLES = ("csv", "markdown")
EVERYTHING = (*TABLES, "charts", "html")
CALL = """
import sys
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.report import create_report
create_report([sys.argv[1]], sys.argv[2], sys.argv[6:], sys.argv[4], sys.argv[3], cell_parts=sys.argv[5] == "parts")
"""


def seconds(run: Path, output: Path, formats: tuple[str, ...], parts: str = "parts") -> float:
    """Return the wall time of one report in a process of its own."""
    # What Python compiles is kept as in an installed environment, outside of it.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(output.parent / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    directories = [str(ROOT / "files" / name) for name in ("report", "schemas")]
    subprocess.run([sys.executable, "-c", CALL, str(run), str(output), *directories, parts, *formats], env=environment, check=True)
    return time.perf_counter() - start


def main() -> int:
    """Print the figures; return 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many counts")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="report-16-") as directory:
        run = write_cell_files(write_run(Path(directory) / "run", tenants=(1, 10, 100, 500), concurrency=(5, 10, 20, 50)), SAMPLES)
        output = Path(directory) / "report"
        seconds(run, output, EVERYTHING)  # compiles what is imported
        whole = min(seconds(run, output, EVERYTHING) for _round in range(rounds))
        tables = min(seconds(run, output, TABLES) for _round in range(rounds))
        page = (output / "index.html").stat().st_size / 1e6
        live = min(seconds(run, output, (*TABLES, "html"), "no parts") for _round in range(rounds))
    print(f"report of 16 cells: {whole:.2f} s (goal at most {GOAL_S:g} s); tables and summary alone {tables:.2f} s (goal {GOAL_TABLES_S:g} s)")
    print(f"after a cell, with the page without parts: {live:.2f} s; page {page:.2f} MB (goal {GOAL_PAGE_MB:g} MB)")
    return 0 if whole <= GOAL_S and tables <= GOAL_TABLES_S and page <= GOAL_PAGE_MB else 1


if __name__ == "__main__":
    sys.exit(main())
