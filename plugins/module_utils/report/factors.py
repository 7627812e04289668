# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Factors: what was set on purpose and tells cells of different runs apart (sqlite against postgres)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# The order in which factors are named; the load profile is an axis of its own.
_FIRST = ("db_backend", "replicas", "workers", "target", "token_mode", "mlflow_version", "k6_version")
_NO_FACTOR = ("profile", "data_set_digest")
_PLAIN = ("db_backend", "target")


def group_labels(factors: Sequence[dict[str, Any]]) -> list[str]:
    """Returns one label per cell, made of the factors in which the cells differ; all '' when they do not differ.

    A cell that does not know a factor that others differ in gets `<factor> unknown`.
    """
    names = dict.fromkeys([*_FIRST, *sorted({name for entry in factors for name in entry})])
    differing = [name for name in names if name not in _NO_FACTOR and len({_text(entry.get(name)) for entry in factors}) > 1]
    return [", ".join(_named(name, entry.get(name)) for name in differing) for entry in factors]


def _named(name: str, value: Any) -> str:
    if value is None:
        return f"{name} unknown"
    return _text(value) if name in _PLAIN else f"{name}={_text(value)}"


def _text(value: Any) -> str:
    return "" if value is None else str(value)
