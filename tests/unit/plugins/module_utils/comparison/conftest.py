# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sides of generated runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.document import settings_of
from fakes.run_factory import write_run

FILES = Path(__file__).resolve().parents[5] / "files"


@pytest.fixture(name="schemas", scope="session")
def fixture_schemas():
    """The directory of the schemas."""
    return FILES / "schemas"


@pytest.fixture(name="templates", scope="session")
def fixture_templates():
    """The directory of the templates."""
    return FILES / "report"


@pytest.fixture(name="settings")
def fixture_settings(schemas):
    """The default settings of a comparison, or others by name."""
    document = yaml.safe_load((FILES / "comparison" / "default.yml").read_text(encoding="utf-8"))

    def create(**given):
        return settings_of(document, schemas, **given)

    return create


@pytest.fixture(name="write")
def fixture_write(tmp_path):
    """Write a run below the results directory, with five repeats of one point unless others are given, and return its id."""

    def create(name, **given):
        write_run(tmp_path / name, **{"tenants": (1,), "concurrency": (5,), "repeats": 5, "seed": sum(name.encode()), **given})
        return name

    return create
