# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scan planted secrets, clean texts, and large files; print secrets found of those planted, false findings, and MB of content per second of CPU time.

Usage: secret_scan.py [--megabytes 100]
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import Scanner
from fakes.planted_secrets import CLEAN, PACKED, TEXTS

GOAL_MB_PER_S = 8.0


def samples(size: int) -> bytes:
    """Return rows as a cell keeps them."""
    rows = (f"{1764000000000 + 37 * row},{row % 50},search_runs,{row % 900}.{row % 1000:03d},200,1\n" for row in range(size // 40))
    return "".join(rows).encode()[:size]


def log(size: int) -> bytes:
    """Return lines with words that fields of secrets have, the worst case without a secret."""
    line = 'time="16:45:{:02d}" level=info msg="tenant-{}: token_file /run/token, key {} found" source=console\n'
    return "".join(line.format(row % 60, row % 500, row) for row in range(size // 90)).encode()[:size]


def main() -> int:
    """Run the benchmark and compare it with its goals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    size = parser.parse_args().megabytes * 1000 * 1000
    scanner = Scanner(["a-token-of-this-run", "another-token-of-this-run"])
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "file")

        def findings(data: bytes) -> int:
            file.write_bytes(data)
            return len(scanner.findings(file))

        planted = [text.encode() for text in TEXTS.values()] + list(PACKED.values())
        found = sum(findings(data) > 0 for data in planted)
        false = sum(findings(text.encode()) > 0 for text in CLEAN)
        is_good = found == len(planted) and not false
        print(f"planted secrets: {found} of {len(planted)} found; false findings: {false} of {len(CLEAN)}")
        for kind, data in {"samples.csv.gz": gzip.compress(samples(size), 1), "k6.log": log(size)}.items():
            begun = time.process_time()
            count = findings(data)
            seconds = time.process_time() - begun
            speed = size / 1e6 / seconds
            print(f"{kind}: {speed:.1f} MB/s ({seconds:.1f} s of CPU), {count} findings (goal: {GOAL_MB_PER_S:g} MB/s, 0)")
            is_good = is_good and not count and speed >= GOAL_MB_PER_S
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
