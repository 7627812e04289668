# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions in the status of an object, as the Kubernetes API conventions write them (type, status, reason, message, severity)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def all_of(manifest: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Returns the conditions of an object; an absent object or one without status has none."""
    return list(((manifest or {}).get("status") or {}).get("conditions") or [])


def status_of(manifest: Mapping[str, Any] | None, kind: str) -> str:
    """Returns True, False or Unknown as the API writes it, and an empty text when there is no such condition."""
    return next((str(condition.get("status")) for condition in all_of(manifest) if condition.get("type") == kind), "")


def is_true(manifest: Mapping[str, Any] | None, kind: str) -> bool:
    """Returns whether a condition is there and True."""
    return status_of(manifest, kind) == "True"


def sentence(condition: Mapping[str, Any]) -> str:
    """Returns a condition as people read it: type, status, reason and message, as far as they are there."""
    why = ": ".join(text for text in (condition.get("reason"), condition.get("message")) if text)
    return f"{condition.get('type')}={condition.get('status')}" + (f" ({why})" if why else "")


def not_true(manifest: Mapping[str, Any] | None) -> list[str]:
    """Returns the conditions that are not True, without those that their writer calls mere information (severity Info)."""
    return [sentence(condition) for condition in all_of(manifest) if condition.get("status") != "True" and condition.get("severity") != "Info"]
