# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of one cell say for its part of the page: timeline, series of the components and latencies, each reduced to what a figure can show."""

from __future__ import annotations

import hashlib
import io
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import TIMELINE_NAME
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.samples import LATENCIES_NAME, LATENCY_COLUMNS, SAMPLES_NAME

try:
    import numpy as np
    import pandas as pd
except ImportError:
    pd = None

if TYPE_CHECKING:
    from pandas import DataFrame

SERIES_NAME = "series.csv"
BINS = 44
_SECONDS_SHOWN = 240
_BYTES_MAX = 200 * 1024**2
_LOG_NAME = "k6.log"
_LOG_BYTES = 3000


@dataclass
class CellFiles:
    """The content of the files of a cell: seconds count from the beginning of the window; `missing` names what could not be read, and why."""

    seconds: list[float] = field(default_factory=list)
    per_second: dict[str, list[float]] = field(default_factory=dict)
    """Columns of the timeline by name: completed, failed, p50_ms, p95_ms."""
    bucket_s: int = 1
    components: dict[str, dict[str, tuple[list[float], list[float]]]] = field(default_factory=dict)
    """metric (cpu, memory) -> component -> seconds and values."""
    edges: list[float] = field(default_factory=list)
    """The edges of the bins of latency in ms, at equal ratios."""
    histograms: dict[str, list[int]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def read_cell_files(directory: Path, record: Mapping[str, Any]) -> CellFiles:
    """Read the files that a record names; what is absent, changed since it was recorded, or of another form is left out and named."""
    found = CellFiles()
    window = record.get("window")
    if not window:
        return found
    timeline = _frame(directory, TIMELINE_NAME, record, found, ["second", "completed", "failed", "p50_ms", "p95_ms"])
    if timeline is not None:
        _add_timeline(found, timeline)
    series = _frame(directory, SERIES_NAME, record, found, ["timestamp", "metric", "component", "instance", "value"], ("metric", "component", "instance"))
    if series is not None:
        _add_series(found, series, float(window["start"]))
    latencies = _latencies(directory, record, found)
    if latencies is not None:
        _add_latencies(found, latencies)
    return found


def _latencies(directory: Path, record: Mapping[str, Any], found: CellFiles) -> DataFrame | None:
    """Return how many requests of each operation took how long. A cell of an older version has samples alone."""
    if LATENCIES_NAME in (record.get("files") or {}):
        return _frame(directory, LATENCIES_NAME, record, found, LATENCY_COLUMNS, ("operation",))
    samples = _frame(directory, SAMPLES_NAME, record, found, ["operation", "duration_ms", "phase"], ("operation", "phase"))
    if samples is None:
        return None
    return samples[samples["phase"] == "window"].assign(low_ms=samples["duration_ms"], high_ms=samples["duration_ms"], requests=1.0)


def _frame(directory: Path, name: str, record: Mapping[str, Any], found: CellFiles, columns: Sequence[str], texts: Sequence[str] = ()) -> DataFrame | None:
    """Return the columns of a CSV file, numbers as floats; None with the reason in `missing` where it cannot be used."""
    known = (record.get("files") or {}).get(name) or {}
    try:
        path = directory / name
        if path.stat().st_size > _BYTES_MAX:
            raise ValueError(f"larger than {_BYTES_MAX // 1024**2} MiB")
        content = path.read_bytes()
        if known.get("sha256") not in (None, hashlib.sha256(content).hexdigest()):
            raise ValueError("changed since it was recorded")
        if name.endswith(".gz"):
            content = zlib.decompress(content, wbits=31)
        frame = pd.read_csv(io.BytesIO(content), usecols=list(columns), dtype=dict.fromkeys(texts, "category"))
        for column in columns:
            if column not in texts:
                frame[column] = pd.to_numeric(frame[column], errors="coerce").astype(float).replace([math.inf, -math.inf], math.nan)
    except FileNotFoundError:
        found.missing.append(f"{name}: not in this copy of the run")
    except (OSError, ValueError, zlib.error) as error:
        found.missing.append(f"{name}: cannot be used ({_first_line(error)})")
    else:
        return frame
    return None


def _first_line(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.partition("\n")[0][:200]


def _add_timeline(found: CellFiles, frame: DataFrame) -> None:
    frame = frame[frame["second"].notna()].sort_values("second")
    if frame.empty:
        return
    size = max(1, math.ceil(len(frame) / _SECONDS_SHOWN))
    # Percentiles of seconds have no mean, so the highest and the middle one of a bucket stand for it.
    buckets = frame.groupby(np.floor(frame["second"] / size) * size).agg({"completed": "mean", "failed": "mean", "p50_ms": "median", "p95_ms": "max"})
    found.bucket_s = size
    found.seconds = [float(second) for second in buckets.index]
    found.per_second = {name: buckets[name].tolist() for name in buckets.columns}


def _add_series(found: CellFiles, frame: DataFrame, start: float) -> None:
    frame = frame[frame["metric"].isin(("cpu", "memory")) & frame["component"].notna() & frame["timestamp"].notna()]
    # The total of a component that has instances stands beside them with an empty instance.
    frame = frame[frame["instance"].isna()]
    for (metric, component), rows in frame.groupby(["metric", "component"], observed=True, sort=False):
        size = math.ceil(len(rows) / _SECONDS_SHOWN)
        means = rows.sort_values("timestamp")[["timestamp", "value"]].groupby(np.arange(len(rows)) // size).mean()
        seconds = [round(stamp - start, 2) for stamp in means["timestamp"]]
        found.components.setdefault(str(metric), {})[str(component)] = (seconds, means["value"].tolist())


def _add_latencies(found: CellFiles, frame: DataFrame) -> None:
    frame = frame[(frame["low_ms"] >= 0) & frame["high_ms"].notna() & frame["requests"].notna()]
    if frame.empty:
        return
    durations = np.sqrt(frame["low_ms"] * frame["high_ms"]).clip(lower=0.1)
    low, high = float(durations.min()), float(durations.max())
    edges = np.geomspace(low, max(high, low * 1.01), BINS + 1)
    bins = np.clip(np.searchsorted(edges, durations.to_numpy(), side="right") - 1, 0, BINS - 1)
    found.edges = [float(edge) for edge in edges]
    operations = frame["operation"].astype(str).to_numpy()
    requests = frame["requests"].to_numpy()
    for name in sorted(set(operations)):
        mine = operations == name
        found.histograms[name] = np.bincount(bins[mine], weights=requests[mine], minlength=BINS).astype(int).tolist()


def listed_files(directory: Path) -> list[Path]:
    """Return the files of a cell, those of its attempts included, in the order of their paths; none where it cannot be listed.

    A symbolic link is none of them: a run of another origin may point anywhere, and the end of a log is shown.
    """
    try:
        return sorted(path for path in directory.rglob("*") if path.is_file() and not path.is_symlink() and not path.name.startswith("."))
    except OSError:
        return []


def log_ends(files: Iterable[Path]) -> dict[Path, str]:
    """Return the last lines of every k6.log among the files."""
    ends = {}
    for path in files:
        if path.name == _LOG_NAME:
            try:
                with path.open("rb") as stream:
                    stream.seek(max(0, path.stat().st_size - _LOG_BYTES))
                    ends[path] = stream.read().decode(errors="replace")
            except OSError:
                continue
    return ends
