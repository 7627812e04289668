# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ownership of objects: our labels, and the equality selectors by which alone objects are changed or deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MANAGED_BY = "app.kubernetes.io/managed-by"
RUN_ID = "perfscale.mlflow/run-id"
OURS = "perfscale.mlflow"


def labels(run_id: str) -> dict[str, str]:
    """Return the labels of every object that a run creates."""
    return {MANAGED_BY: OURS, RUN_ID: run_id}


def selector(run_id: str | None = None) -> str:
    """Return the equality selector of all that is ours, or of one run's."""
    return f"{MANAGED_BY}={OURS}" + (f",{RUN_ID}={run_id}" if run_id else "")


def is_ours(manifest: Mapping[str, Any]) -> bool:
    """Return whether an object carries our label (of any run)."""
    return ((manifest.get("metadata") or {}).get("labels") or {}).get(MANAGED_BY) == OURS


def run_id(manifest: Mapping[str, Any]) -> str:
    """Return the run that created an object, or an empty text."""
    return ((manifest.get("metadata") or {}).get("labels") or {}).get(RUN_ID) or ""


def labelled(manifest: Mapping[str, Any], run: str) -> dict[str, Any]:
    """Return a copy of a manifest that carries our labels for a run."""
    metadata = dict(manifest.get("metadata") or {})
    return {**manifest, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), **labels(run)}}}
