# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print how long the report of 16 cells takes in a process of its own: whole (tables, summary, 12 charts, page), and tables alone.

Goal: at most 6 s for the whole; the tables alone are rewritten after every cell. The records are generated.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fakes.run_factory import write_run

ROOT = Path(__file__).resolve().parents[2]
GOAL_S = 6.0
TABLES = ("csv", "markdown")
EVERYTHING = (*TABLES, "charts", "html")
CALL = """
import sys
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.report import create_report
create_report([sys.argv[1]], sys.argv[2], sys.argv[5:], sys.argv[4], sys.argv[3])
"""


def seconds(run: Path, output: Path, formats: tuple[str, ...]) -> float:
    """Return the wall time of one report in a process of its own."""
    # What Python compiles is kept as in an installed environment, outside of it.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(output.parent / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    directories = [str(ROOT / "files" / name) for name in ("report", "schemas")]
    subprocess.run([sys.executable, "-c", CALL, str(run), str(output), *directories, *formats], env=environment, check=True)
    return time.perf_counter() - start


def main() -> int:
    """Print the figures; return 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many counts")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="report-16-") as directory:
        run = write_run(Path(directory) / "run", tenants=(1, 10, 100, 500), concurrency=(5, 10, 20, 50))
        output = Path(directory) / "report"
        seconds(run, output, EVERYTHING)  # compiles what is imported
        whole = min(seconds(run, output, EVERYTHING) for _round in range(rounds))
        tables = min(seconds(run, output, TABLES) for _round in range(rounds))
        page = (output / "index.html").stat().st_size
    print(f"report of 16 cells: {whole:.2f} s (goal at most {GOAL_S:g} s); tables and summary alone {tables:.2f} s; page {page / 1e6:.2f} MB")
    return 0 if whole <= GOAL_S else 1


if __name__ == "__main__":
    sys.exit(main())
