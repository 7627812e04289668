# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The content of a file in blocks, of archives what they hold: gz, xz, lzma, bz2, zip and tar, in one another, with limits on size, depth and time."""

from __future__ import annotations

import bz2
import lzma
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any

_BLOCK = 1 << 20
# A decompressor that needs more (bytes) is given up: xz lets an archive ask for gigabytes.
_MEMORY = 256 << 20
_LZMA_HEADER = b"\x5d\x00\x00"
_UNREADABLE = {b"\x28\xb5\x2f\xfd": "zstd", b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar", b"\x04\x22\x4d\x18": "lz4", b"\x1f\x9d": "compress"}


class UnpackError(Exception):
    """An archive that is not unpacked to its end; the text is a noun phrase such as `an archive that unpacks to more than 64 MiB`."""


@dataclass
class Limits:
    """How far a file is unpacked: archives in archives; bytes, at least `floor_bytes` and as many as `ratio` times the file; seconds in all."""

    depth: int = 5
    ratio: int = 200
    floor_bytes: int = 256 << 20
    seconds: float = 600.0


@dataclass
class _Budget:
    limits: Limits
    size: int
    deadline: float = field(default=0.0)
    used: int = 0

    def spend(self, block: bytes) -> bytes:
        self.used += len(block)
        if self.used > self.size:
            raise UnpackError(f"an archive that unpacks to more than {self.size >> 20} MiB")
        return self.check_time(block)

    def check_time(self, block: bytes) -> bytes:
        if time.monotonic() > self.deadline:
            raise UnpackError(f"a file that is not read within {self.limits.seconds:g} s")
        return block


def contents(path: Path, limits: Limits | None = None) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield (member, blocks) for a file: one pair with an empty member, or one for each member of an archive, `/` between nested ones.

    The blocks have to be consumed before the next pair. What only looks like an archive is given as it is, of one that is cut all that can be read.
    Raises OSError, and UnpackError at a limit or for an archive that cannot be read here.
    """
    limits = limits or Limits()
    budget = _Budget(limits, max(limits.floor_bytes, limits.ratio * path.stat().st_size), time.monotonic() + limits.seconds)
    with path.open("rb") as stream:
        blocks = (budget.check_time(block) for block in iter(lambda: stream.read(_BLOCK), b""))
        yield from _members("", blocks, budget, 0)


def _members(member: str, blocks: Iterator[bytes], budget: _Budget, depth: int) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield what blocks hold, unpacked as often as they are packed."""
    first = next(blocks, b"")
    whole = chain([first], blocks)
    unpack = _unpacker(first)
    if unpack is None:
        yield member, whole
        return
    if depth >= budget.limits.depth:
        raise UnpackError(f"an archive within {depth} archives")
    for name, inner in unpack(whole, budget):
        yield from _members("/".join(part for part in (member, name) if part), inner, budget, depth + 1)


def _unpacker(first: bytes) -> Callable[[Iterator[bytes], _Budget], Iterator[tuple[str, Iterator[bytes]]]] | None:
    """Return how blocks that begin so are unpacked, or None. Raises UnpackError for archives that Python cannot read."""
    for magic, name in _UNREADABLE.items():
        if first.startswith(magic):
            raise UnpackError(f"an archive that cannot be read ({name})")
    if first.startswith(b"\x1f\x8b"):
        return _stream(lambda: zlib.decompressobj(zlib.MAX_WBITS | 16))
    if first.startswith((b"\xfd7zXZ\x00", _LZMA_HEADER)):
        return _stream(lambda: lzma.LZMADecompressor(memlimit=_MEMORY))
    if first.startswith(b"BZh") and first[3:4].isdigit():
        return _stream(bz2.BZ2Decompressor)
    if first.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip
    if first[257:262] == b"ustar":
        return _tar
    return None


def _stream(decompressor: Callable[[], Any]) -> Callable[[Iterator[bytes], _Budget], Iterator[tuple[str, Iterator[bytes]]]]:
    def unpack(blocks: Iterator[bytes], budget: _Budget) -> Iterator[tuple[str, Iterator[bytes]]]:
        yield "", _decompressed(blocks, decompressor, budget)

    return unpack


def _decompressed(blocks: Iterator[bytes], create: Callable[[], Any], budget: _Budget) -> Iterator[bytes]:
    """Yield what a compressed stream holds: all its parts one after the other; what does not decompress as it is."""
    member = create()
    for block in blocks:
        waiting = block
        while waiting or not getattr(member, "needs_input", True):
            try:
                found = member.decompress(waiting, _BLOCK)
            except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
                if "emory" in str(error):
                    raise UnpackError(f"an archive that needs more than {_MEMORY >> 20} MiB of memory") from None
                yield from _as_it_is(chain([waiting], blocks))
                return
            if found:
                yield budget.spend(found)
            waiting = member.unconsumed_tail if hasattr(member, "unconsumed_tail") else b""
            if member.eof:
                waiting = member.unused_data
                member = create()
    if hasattr(member, "flush"):
        yield budget.spend(member.flush())


def _as_it_is(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield blocks so that they are not taken for an archive again."""
    return chain([b" "], blocks)


def _saved(blocks: Iterator[bytes]) -> IO[bytes]:
    """Return a temporary file with these blocks: a zip is read from its end."""
    stream: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - its reader closes it
    for block in blocks:
        stream.write(block)
    stream.seek(0)
    return stream


def _zip(blocks: Iterator[bytes], budget: _Budget) -> Iterator[tuple[str, Iterator[bytes]]]:
    with _saved(blocks) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, OSError, ValueError):
            stream.seek(0)
            yield "", _as_it_is(iter(lambda: stream.read(_BLOCK), b""))
            return
        with archive:
            yield "", iter(["\n".join([*archive.namelist(), ""]).encode("utf-8", "replace"), archive.comment])
            for entry in archive.infolist():
                if entry.flag_bits & 1:
                    raise UnpackError("an archive that cannot be read (encrypted)")
                yield entry.filename, _entry(archive, entry, budget)


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, budget: _Budget) -> Iterator[bytes]:
    try:
        with archive.open(entry) as member:
            while block := member.read(_BLOCK):
                yield budget.spend(block)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, EOFError, OSError):
        raise UnpackError("an archive that cannot be read (damaged, or of an unknown kind)") from None


def _tar(blocks: Iterator[bytes], budget: _Budget) -> Iterator[tuple[str, Iterator[bytes]]]:
    with _saved(blocks) as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                for entry in archive:
                    member = archive.extractfile(entry) if entry.isfile() else None
                    yield "", iter([f"{entry.name} {entry.linkname}\n".encode("utf-8", "replace")])
                    if member is not None:
                        yield entry.name, (budget.spend(block) for block in iter(_reader(member), b""))
        except tarfile.TarError:
            raise UnpackError("an archive that cannot be read (damaged)") from None


def _reader(member: IO[bytes]) -> Callable[[], bytes]:
    return lambda: member.read(_BLOCK)
