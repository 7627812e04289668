# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage a finished run at random and print how much of it each reader names.

Goal: all injections (a byte changed, a file cut) are named by resume, verdict and publication, those of records by the report too; no structural mutation of a
record leads to anything but a sentence, and what is believed goes through a whole report with its page.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import Run
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import ReportError
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.sources import read_sources
from fakes.record_damage import READERS, SCHEMAS, damaged, findings, mutated, named_files, write_finished_run, write_mutated, write_texts


def inject(run: Run, chance: random.Random, count: int) -> tuple[Counter[str], Counter[str]]:
    """Damage one file at a time and return by reader how often it was asked, and how often it named the file."""
    asked: Counter[str] = Counter()
    named: Counter[str] = Counter()
    files = named_files(run)
    for _number in range(count):
        path = chance.choice(files)
        content = path.read_bytes()
        path.write_bytes(damaged(chance, content))
        readers = READERS if path.name in ("run.json", "cell.json") else READERS[:-1]
        for reader, sentences in findings(run, readers).items():
            asked[reader] += 1
            named[reader] += any(str(path) in sentence for sentence in sentences)
        path.write_bytes(content)
    return asked, named


def mutate(run: Run, chance: random.Random, count: int) -> Counter[str]:
    """Change the structure of a record, one value at a time, and return how many mutations were named, believed, or led to a raw exception."""
    ends: Counter[str] = Counter()
    paths = [run.path, *sorted(run.directory.glob("cells/*/cell.json"))]
    for number in range(count):
        path = paths[number % 2]
        content = path.read_bytes()
        place, document = mutated(chance, json.loads(content))
        write_mutated(path, document, is_sealed=number % 4 < 2)
        try:
            found = findings(run)
            if not found["report"]:
                write_texts(read_sources([run.directory], SCHEMAS), with_page=True)
            ends["named" if any(found.values()) else "believed"] += 1
        except ReportError:
            ends["named"] += 1
        except Exception as error:
            ends["raw exception"] += 1
            print(f"{path.name} at {place}: {type(error).__name__}: {error}")
        path.write_bytes(content)
    return ends


def main() -> int:
    """Print the figures; return 1 when something was not named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--injections", type=int, default=2000)
    parser.add_argument("--mutations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="record-damage-") as directory:
        run = write_finished_run(Path(directory) / "run-1")
        start = time.perf_counter()
        asked, named = inject(run, chance, options.injections)
        ends = mutate(run, chance, options.mutations)
        seconds = time.perf_counter() - start
    print("injections named: " + ", ".join(f"{reader} {named[reader]} of {asked[reader]}" for reader in READERS) + " (goal: all)")
    print(f"mutations: {dict(ends)} (goal: no raw exception); {seconds:.0f} s")
    return 0 if named == asked and not ends["raw exception"] else 1


if __name__ == "__main__":
    sys.exit(main())
