# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources of a report, read with the schemas of this checkout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import sources
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import ReportInputs

SCHEMAS = Path(__file__).resolve().parents[2] / "files" / "schemas"


def read_sources(folders: Sequence[str | Path]) -> ReportInputs:
    """Return what the report reads of the folders."""
    return sources.read_sources(folders, SCHEMAS)
