# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests of a load, in memory that does not grow with their number."""

from __future__ import annotations

import math
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, explain
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import Counted

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window

CHUNK = 1 << 19
"""The requests that are read, sorted and summarized at once; up to two chunks stay in memory."""
PRECISION = 100
"""Latencies are stored in whole hundredths of a millisecond."""
UNKNOWN = -1
_FIELDS = {"start": "q", "duration": "i", "waiting": "i", "kind": "i", "shard": "H", "repeated": "b"}
_ROWS = 8192


class Kind(NamedTuple):
    """Properties that requests share: status 0 means no response; error_code is k6's or that of a wrong answer, and empty for a success."""

    operation: str
    journey: str
    tenant: str
    status: int
    error_code: str


@dataclass
class Requests:
    """The requests of a load, of one k6 or of all shards: added in the order in which they are read, returned in the order of their starts.

    A million of them stay in memory. When there are more, the older half is sorted and written to a file in `directory`, again and again; before the first
    request is returned, these parts are merged into one sorted file. `chunks` reads it, or the memory, half a million requests at a time, as often as it is
    called, and its callers keep what they need from one chunk to the next. So a load of any size is summarized in the memory of a chunk, by the same code as
    a small one. The files have no name, so they vanish with the process, and on `close`. Raises FileWriteError when they cannot be written (a full disk).

    A chunk is an array with the fields start (epoch ms), duration and waiting (1/100 ms), kind (its number in `kind_table`), shard (0: the load has none),
    and repeated (1: the HTTP client of k6 silently sent it twice). Equal starts stay in the order in which they were read.
    """

    directory: Path = Path()
    """Where the files are: beside the results, since the directory of temporary files may be memory."""
    kind_table: list[Kind] = field(default_factory=list)
    columns: dict[str, array[int]] = field(default_factory=lambda: {name: array(code) for name, code in _FIELDS.items()})
    """The fields of the requests in memory, in the order in which they were read."""
    _numbers: dict[Kind, int] = field(default_factory=dict, repr=False)
    _parts: list[tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=list, repr=False, compare=False)
    """Of each sorted part of the file the seconds in which requests started, and how many."""
    _file: IO[bytes] | None = field(default=None, repr=False, compare=False)
    _sorted: NDArray[Any] | None = field(default=None, repr=False, compare=False)
    _written: int = 0

    def __len__(self) -> int:
        return self._written + len(self.columns["start"]) + (0 if self._sorted is None else len(self._sorted))

    def number_of(self, kind: Kind) -> int:
        """Return the number of a kind, a new one if it was not seen before."""
        number = self._numbers.setdefault(kind, len(self._numbers))
        if number == len(self.kind_table):
            self.kind_table.append(kind)
        return number

    def add(self, start: int, duration: int, kind: int, shard: int = 0) -> None:
        """Add a request without a waiting time. Raises OverflowError for a duration that no request can have."""
        columns = self.columns
        # First what may be too large for its array: a request is added as a whole or not at all.
        columns["duration"].append(duration)
        columns["start"].append(start)
        columns["waiting"].append(UNKNOWN)
        columns["kind"].append(kind)
        columns["shard"].append(shard)
        columns["repeated"].append(0)

    def is_full(self) -> bool:
        """Return whether there are more requests in memory than stay there."""
        return len(self.columns["start"]) >= 2 * CHUNK

    def write_out(self) -> int:
        """Write the older requests to the file, so that at least a chunk is left in memory, and return how many; their fields are then final."""
        before = self._written
        while self.is_full():
            self._write_part()
        return self._written - before

    def chunks(self) -> Iterator[NDArray[Any]]:
        """Yield all requests in the order of their starts; after the first call none can be added."""
        if self._file is None:
            if self._sorted is None:
                self._sorted = self._take(len(self))
            if len(self._sorted):
                yield self._sorted
            return
        if self._parts:
            self._file = self._merged(self._file)
        for at in range(0, self._written, CHUNK):
            yield _read(self._file, at, min(at + CHUNK, self._written))

    def inside(self, window: Window) -> Iterator[NDArray[Any]]:
        """Yield the requests that started in the window, in the order of their starts."""
        for chunk in self.chunks():
            first, end = np.searchsorted(chunk["start"], (window.start_ms, window.end_ms))
            if first < end:
                yield chunk[first:end]

    def by_end(self) -> Iterator[tuple[NDArray[Any], NDArray[Any], float]]:
        """Yield all requests in the order of their ends, those of equal ends in the order of their starts.

        Yields (ends in epoch ms, requests, first start of those that were still in flight at the last end; infinite if none was). What is in flight at the
        end of a chunk waits for the next one, and is as large as the number of virtual users.
        """
        waiting: NDArray[Any] | None = None
        for chunk in self.chunks():
            known = chunk if waiting is None else np.concatenate((waiting, chunk))
            # No later request ends before this one starts.
            is_over = ends_of(known) < int(chunk["start"][-1])
            waiting = known[~is_over]
            yield *_ordered_by_end(known[is_over]), float(waiting["start"][0])
        if waiting is not None:
            yield *_ordered_by_end(waiting), math.inf

    def span(self) -> tuple[int, float]:
        """Return the first start and the last end (epoch ms) of a load that sent at least one request."""
        limits = [(int(chunk["start"][0]), float(ends_of(chunk).max())) for chunk in self.chunks()]
        return limits[0][0], max(end for _start, end in limits)

    def close(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.close()

    def _take(self, count: int) -> NDArray[Any]:
        """Remove the older requests from memory and return them sorted."""
        taken = np.empty(count, dtype=_dtype())
        for name, values in self.columns.items():
            if count:
                taken[name] = np.frombuffer(values, dtype=values.typecode, count=count)
                del values[:count]
        return _ordered_by_start(taken)

    def _write_part(self) -> None:
        part = self._take(min(CHUNK, len(self.columns["start"])))
        if self._file is None:
            self._file = self._open()
        self._write(self._file, part)
        self._parts.append(np.unique(part["start"] // 1000, return_counts=True))
        self._written += len(part)

    def _merged(self, file: IO[bytes]) -> IO[bytes]:
        """Return the file of all requests in order: those of some seconds, in which about a chunk of them started, are read from every part and sorted."""
        while self.columns["start"]:
            self._write_part()
        seconds, counts = (np.concatenate(values) for values in zip(*self._parts, strict=True))
        order = np.argsort(seconds, kind="stable")
        reached = np.searchsorted(np.cumsum(counts[order]), np.arange(CHUNK, self._written, CHUNK))
        edges = np.unique([seconds.min(), *seconds[order][reached], seconds.max() + 1])
        places: list[list[int]] = []
        first = 0
        for own_seconds, own_counts in self._parts:
            before = first + np.append(0, np.cumsum(own_counts))
            places.append(before[np.searchsorted(own_seconds, edges)].tolist())
            first = int(before[-1])
        with file:
            merged = self._open()
            for begins, ends in pairwise(zip(*places, strict=True)):
                together = np.concatenate([_read(file, begin, end) for begin, end in zip(begins, ends, strict=True)])
                self._write(merged, _ordered_by_start(together))
        self._parts = []
        return merged

    def _open(self) -> IO[bytes]:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            return tempfile.TemporaryFile(dir=self.directory)
        except OSError as error:
            raise FileWriteError(explain(self.directory, error)) from error

    def _write(self, file: IO[bytes], requests: NDArray[Any]) -> None:
        try:
            file.write(requests.tobytes())
            file.flush()
        except OSError as error:
            raise FileWriteError(explain(f"of requests in {self.directory}", error)) from error


def _dtype() -> np.dtype[Any]:
    return np.dtype(list(_FIELDS.items()), align=True)


def _read(file: IO[bytes], begin: int, end: int) -> NDArray[Any]:
    dtype = _dtype()
    file.seek(begin * dtype.itemsize)
    return np.frombuffer(file.read((end - begin) * dtype.itemsize), dtype=dtype)


def _ordered_by_start(requests: NDArray[Any]) -> NDArray[Any]:
    ordered: NDArray[Any] = requests[np.argsort(requests["start"], kind="stable")]
    return ordered


def _ordered_by_end(requests: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    ends = ends_of(requests)
    order = np.argsort(ends, kind="stable")
    return ends[order], requests[order]


def ends_of(requests: NDArray[Any]) -> NDArray[Any]:
    """Return when the requests of a chunk ended (epoch ms)."""
    ends: NDArray[Any] = requests["start"] + requests["duration"] / PRECISION
    return ends


def rows(requests: NDArray[Any], *names: str) -> Iterator[tuple[Any, ...]]:
    """Yield fields of each request as plain numbers, some thousand at a time: those of a chunk would take more memory than all else."""
    for at in range(0, len(requests), _ROWS):
        some = requests[at:at + _ROWS]
        yield from zip(*(some[name].tolist() for name in names), strict=True)


def durations_by(chunks: Iterable[NDArray[Any]], groups: Callable[[NDArray[Any]], NDArray[Any]]) -> dict[int, Counted]:
    """Count the durations (1/100 ms) of each group of requests; `groups` returns the numbers of the groups of a chunk, negative for no group."""
    found: dict[int, Counted] = {}
    for chunk in chunks:
        keys, counts = np.unique(groups(chunk).astype(np.int64) << 32 | chunk["duration"], return_counts=True)
        keys, counts = keys[keys >= 0], counts[keys >= 0]
        cuts = np.flatnonzero(np.diff(keys >> 32)) + 1
        for own, own_counts in zip(np.split(keys, cuts), np.split(counts, cuts), strict=True):
            if len(own):
                number = int(own[0] >> 32)
                # Copies, since a part of an array keeps all of it.
                counted = Counted((own & 0xFFFFFFFF).astype(np.int32), own_counts.copy())
                found[number] = Counted.merged([found[number], counted]) if number in found else counted
    return found
