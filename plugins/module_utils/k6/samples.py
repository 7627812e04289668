# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an attempt: which are there, and the permanent ones, samples.csv.gz (a row per request, verified by reading it back), tenants.csv and
latencies.csv."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from array import array
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import file_digest, read_sealed, write_atomic, write_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import K6ResultError, Raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import PRECISION, UNKNOWN, Requests, rows
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import PHASES, Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import Counted

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

RAW_NAMES = ("raw.csv", "raw.csv.gz")
RESULT_NAME = "k6_result.json"
SAMPLES_NAME = "samples.csv.gz"
LOG_NAME = "k6.log"
SHARDS_NAME = "shards.json"
SHARDS_DIRECTORY = "shards"
COLUMNS = ("start_ms", "operation", "journey", "tenant", "status", "error_code", "duration_ms", "waiting_ms", "phase", "shard")
TENANT_COLUMNS = ("tenant", "n", "ok", "failed", "rate_per_s", "p50_ms", "p95_ms", "max_ms", "journeys_started", "journeys_completed")
LATENCIES_NAME = "latencies.csv"
LATENCY_COLUMNS = ("operation", "low_ms", "high_ms", "requests")
BIN_RATIO = 1.02
"""The ratio of the edges of a bin of latencies.csv: its middle is within 1 % of each latency in it, and bins of several cells add up."""
_ROWS_PER_BLOCK = 8192
_LEVEL = 6
_BLOCK = 1 << 20
_UNSAFE = str.maketrans(',"\r\n', "____")


class VerifiedFile(NamedTuple):
    """A samples file that was read back: its rows (requests) and bytes."""

    rows: int
    bytes: int


def raw_file(directory: Path) -> Path:
    """Return the raw file of an attempt directory, the plain one when it is missing."""
    return next((directory / name for name in RAW_NAMES if (directory / name).is_file()), directory / RAW_NAMES[0])


def raw_files(directory: Path) -> list[Path]:
    """Return the raw file of an attempt directory, or those of all shards that have a directory there."""
    shards = directory / SHARDS_DIRECTORY
    return [raw_file(own) for own in sorted(shards.iterdir())] if shards.is_dir() else [raw_file(directory)]


def stored_result(dest: Path) -> dict[str, Any] | None:
    """Return {result, files} of an earlier call, or None unless its files are there unchanged."""
    try:
        stored = read_sealed(dest / RESULT_NAME)
        is_unchanged = all(file_digest(dest / name) == known for name, known in stored["files"].items())
        return {"result": stored["result"], "files": stored["files"]} if is_unchanged else None
    except (ValueError, OSError, LookupError, TypeError, AttributeError):
        return None


def has_samples(directory: Path) -> bool:
    """Return whether an attempt's directory has the samples of its load, raw or repacked."""
    paths = raw_files(directory)
    return (bool(paths) and all(path.is_file() for path in paths)) or stored_result(directory) is not None


def write_samples(path: Path, raw: Raw, window: Window) -> VerifiedFile:
    """Write the requests in the order of their starts and read the file back.

    Raises FileWriteError when it cannot be written (a full disk), K6ResultError when what was read back differs from
    what was written or from the number of requests in the raw file; then no file is left.
    """
    written = {"crc": 0}

    def write(stream: IO[bytes]) -> None:
        # Without name and time, so that equal samples result in equal files.
        with gzip.GzipFile(filename="", mode="wb", fileobj=stream, compresslevel=_LEVEL, mtime=0) as packed:
            for block in _blocks(raw.requests, window):
                written["crc"] = zlib.crc32(block, written["crc"])
                packed.write(block)

    write_atomic(path, write)
    found, crc = _read_back(path)
    if crc != written["crc"] or found != raw.count:
        path.unlink()
        raise K6ResultError(
            f"Samples {path}: {found} of {raw.count} rows were read back, or their checksum differs. "
            "Check the disk; the raw file stays."
        )
    return VerifiedFile(found, path.stat().st_size)


def _blocks(requests: Requests, window: Window) -> Iterator[bytes]:
    yield (",".join(COLUMNS) + "\n").encode()
    kinds = [",".join(str(part).translate(_UNSAFE) for part in kind) for kind in requests.kind_table]
    for chunk in requests.chunks():
        parts = np.split(chunk, np.searchsorted(chunk["start"], (window.start_ms, window.end_ms)))
        lines = chain.from_iterable(
            (
                f"{start},{kinds[kind]},{duration / PRECISION:.2f},{_waiting(waiting)},{phase},{shard}\n"
                for start, kind, duration, waiting, shard in rows(part, "start", "kind", "duration", "waiting", "shard")
            )
            for phase, part in zip(PHASES, parts, strict=True)
        )
        while block := "".join(islice(lines, _ROWS_PER_BLOCK)):
            yield block.encode()


def _waiting(amount: int) -> str:
    return "" if amount == UNKNOWN else f"{amount / PRECISION:.2f}"


def _read_back(path: Path) -> tuple[int, int]:
    rows, crc = -1, 0
    try:
        with gzip.open(path, "rb") as stream:
            while block := stream.read(_BLOCK):
                rows += block.count(b"\n")
                crc = zlib.crc32(block, crc)
    except (OSError, EOFError, zlib.error) as error:
        raise K6ResultError(f"Samples {path}: cannot be read back ({error}). Check the disk; the raw file stays.") from error
    return rows, crc


def read_window(directory: Path) -> dict[str, array[int]]:
    """Return the durations (1/100 ms) of the requests of the window by operation, from the samples in a directory. Raises K6ResultError."""
    path = directory / SAMPLES_NAME
    found: dict[str, array[int]] = {}
    operation, duration, phase = (COLUMNS.index(name) for name in ("operation", "duration_ms", "phase"))
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            next(lines)
            for line in lines:
                fields = line.split(",")
                if fields[phase] == "window":
                    found.setdefault(fields[operation], array("q")).append(round(float(fields[duration]) * PRECISION))
    except (OSError, EOFError, zlib.error, ValueError, IndexError, StopIteration) as error:
        raise K6ResultError(f"Samples {path}: cannot be read ({error}). Measure the cell again with the same run_id.") from error
    return found


def write_latencies(path: Path, by_operation: Mapping[str, Counted]) -> None:
    """Write how many requests of each operation took how long, from their latencies (1/100 ms), so that nothing that draws has to read samples.

    Raises FileWriteError.
    """
    lines = [",".join(LATENCY_COLUMNS)]
    for operation, latencies in by_operation.items():
        bins = np.floor(np.log(np.maximum(latencies.values, 1) / PRECISION) / np.log(BIN_RATIO)).astype(int)
        numbers, first = np.unique(bins, return_index=True)
        counts = np.add.reduceat(latencies.counts, first)
        lines += [
            f"{operation.translate(_UNSAFE)},{BIN_RATIO**number:.6g},{BIN_RATIO**(number + 1):.6g},{count}"
            for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
        ]
    write_text(path, "\n".join(lines) + "\n")


def write_tenants(path: Path, by_tenant: dict[str, dict[str, Any]], journeys: Mapping[str, tuple[int, int]]) -> None:
    """Write one line per tenant from its block and its (started, completed) journeys; a percentile with too few samples is empty. Raises FileWriteError."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TENANT_COLUMNS)
    for tenant, block in by_tenant.items():
        latency = block["latency_ms"]
        requests = (block["n"], block["ok"], block["failed"], block["rate_per_s"], latency["p50"], latency["p95"], latency["max"])
        writer.writerow([tenant, *requests, *journeys.get(tenant, (0, 0))])
    write_text(path, text.getvalue())
