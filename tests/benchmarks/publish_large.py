# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publish a large run to a simulated store, which reads what it gets and keeps nothing; print seconds, processor seconds and memory.

Usage: publish_large.py [--gigabytes 0.1] [--megabytes-each 20]. The samples of all cells are one file with many names, which is read as often. They are
unpacked for the scan for secrets, which is most of the cost.
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import file_digest, read_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.samples import COLUMNS, SAMPLES_NAME
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.publication import publish
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import Scanner
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import SERVER_DIGEST, FileSink, Upload
from fakes.cell_files import write_cell_files
from fakes.run_factory import edit_record, write_run

ROOT = Path(__file__).resolve().parents[2]
GOAL_BYTES = 1 << 30
BLOCK = 1 << 20
ROWS = 10_000


def write_samples(path: Path, size: int) -> None:
    """Write packed samples of at least that size (bytes)."""
    chance = random.Random(1)
    rows = (
        f"{1_795_000_000_000 + 7 * n},get_run,browsing,tenant-{chance.randrange(500)},200,,"
        f"{chance.lognormvariate(3, 0.6):.2f},{chance.uniform(4, 90):.2f},window,1\n"
        for n in range(ROWS)
    )
    block = "".join(rows).encode()
    with path.open("wb") as stream, gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1) as packed:
        packed.write((",".join(COLUMNS) + "\n").encode())
        while stream.tell() < size:
            packed.write(block)


class SimulatedStore(FileSink):
    """A store that reads what it is sent and keeps only small files."""

    kind = "simulated"

    def __init__(self) -> None:
        super().__init__("simulated")
        self.bytes = 0
        self._small: dict[str, bytes] = {}

    def location(self, run_id: str) -> str:
        return run_id

    def send(self, run_id: str, uploads: Sequence[Upload]) -> list[str]:
        for upload in uploads:
            with upload.file.open("rb") as stream:
                while block := stream.read(BLOCK):
                    self.bytes += len(block)
        return [SERVER_DIGEST] * len(uploads)

    def put(self, key: str, data: bytes) -> None:
        self._small[key] = data

    def get(self, key: str) -> bytes | None:
        return self._small.get(key)

    def fetch(self, key: str, destination: Path) -> bool:
        return False


def main() -> int:
    """Print the figures; return 1 when the goal of memory is missed, or what was sent is not everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=0.1)
    parser.add_argument("--megabytes-each", type=int, default=20)
    chosen = parser.parse_args()
    cells = max(1, round(1000 * chosen.gigabytes / chosen.megabytes_each))
    with tempfile.TemporaryDirectory(prefix="publish-") as directory:
        run = write_cell_files(write_run(Path(directory) / "run", tenants=range(1, cells + 1), concurrency=(5,)), 100)
        samples = Path(directory) / SAMPLES_NAME
        write_samples(samples, chosen.megabytes_each * 10**6)
        digest = file_digest(samples)
        for path in sorted(run.glob("cells/*/cell.json")):
            (path.parent / SAMPLES_NAME).unlink()
            os.link(samples, path.parent / SAMPLES_NAME)
            edit_record(path, files={**read_sealed(path)["files"], SAMPLES_NAME: digest})
        store = SimulatedStore()
        total = sum(path.stat().st_size for path in run.rglob("*") if path.is_file())
        for what in ("first publication", "publication without news"):
            began, used = time.perf_counter(), time.process_time()
            done = publish(run, [store], Scanner(), ROOT / "files/schemas")
            seconds, cpu = time.perf_counter() - began, time.process_time() - used
            print(f"publish_large {what}: {seconds:.1f} s, {cpu:.1f} CPU-s for {total / 1e9:.1f} GB in {cells} cells, {done['problems'] or 'no problem'}")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(f"publish_large_memory_mb {memory / 1e6:.0f} (goal <= {GOAL_BYTES / 1e6:.0f}); sent {store.bytes / 1e9:.2f} GB")
    return 0 if memory <= GOAL_BYTES and store.bytes >= cells * chosen.megabytes_each * 10**6 * 0.99 else 1


if __name__ == "__main__":
    sys.exit(main())
