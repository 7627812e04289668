# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print how many requests per second 50 VUs send to a closed port. Goal: at most 50."""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
from pathlib import Path

from fakes.k6_configs import load_config
from programs.k6 import LOAD, executable, run_k6

VUS = 50
GOAL = 50.0


def main() -> int:
    """Print the figure; return 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound and not listening: the port stays closed
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        config = load_config(url, profile={"kind": "closed", "concurrency": VUS}, warmup_s=0, window_s=chosen.seconds)
        ended = run_k6(executable("k6", "PERFSCALE_K6"), LOAD, Path(directory), config=config)
        metrics = ended.json("summary.json")["data"]["metrics"]
    rate = metrics["http_reqs"]["values"]["count"] / chosen.seconds
    print(f"k6_server_down_requests_per_second {rate:.1f} with {VUS} VUs (goal <= {GOAL:.0f})")
    return 0 if 0 < rate <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
