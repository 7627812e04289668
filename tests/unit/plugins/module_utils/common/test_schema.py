# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation against a schema of files/schemas."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.schema import check

SCHEMAS = Path(__file__).resolve().parents[5] / "files" / "schemas"


def test_a_document_that_follows_its_schema_passes():
    check({"schema_version": 1}, "target", SCHEMAS)


def test_the_error_names_the_location():
    with pytest.raises(ValueError, match=r"Document target: at generator/kind: 'magic' is not one of"):
        check({"schema_version": 1, "generator": {"kind": "magic"}}, "target", SCHEMAS)
