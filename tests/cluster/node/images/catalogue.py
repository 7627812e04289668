# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every image of the node, in the order in which tests need them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache, tools
from node.images import base, k6, mlflow, postgresql
from node.stages import Stages

# The newer k6 that tests/run.py builds; its image exists only where that was done.
K6_NEW = "k6-1.8.1"


def build(directory: Path, stages: Stages) -> dict[str, Path]:
    """Return the cache entries of all images by name, building what is missing. Raises ToolError."""
    entries = {}
    for name, ensure in _images(directory):
        with stages.stage(f"image {name}"):
            entries[name] = ensure()
    return entries


def _images(directory: Path) -> Iterator[tuple[str, Callable[[], Path]]]:
    yield "pause", lambda: base.pause(directory)
    yield "busybox", lambda: base.busybox(directory)
    beside = shutil.which("k6", path=str(Path(sys.executable).parent)) or ""
    yield "k6", lambda: k6.k6(directory, Path(tools.find_k6(beside)["path"]))
    newer = cache.complete(directory, K6_NEW)
    if newer:
        yield K6_NEW, lambda: k6.k6(directory, newer / "k6")
    yield "mlflow", lambda: mlflow.mlflow(directory)
    yield "postgresql", lambda: postgresql.postgresql(directory)
    yield "postgres-exporter", lambda: postgresql.exporter(directory)
