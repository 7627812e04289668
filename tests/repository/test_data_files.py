# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data files: schemas are schemas, and each file is accepted by what reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import expand
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import load_profile
from checkout import ROOT, load_yaml, relative

FILES = ROOT / "files"
SCHEMAS = sorted(FILES.glob("schemas/*.json"))
MATRICES = sorted(FILES.glob("matrices/*.yml"))
PROFILES = sorted(FILES.glob("metrics_profiles/*.yml"))
SCHEMA_OF_FOLDER = {"comparison": "comparison_metrics", "metrics_profiles": "metrics_profile", "slo": "slo", "validity": "validity"}
WITH_SCHEMA = [(path, schema) for folder, schema in SCHEMA_OF_FOLDER.items() for path in sorted((FILES / folder).glob("*.yml"))]


def named(paths: list[Path]) -> list[object]:
    """Test parameters with the paths as people write them."""
    return [pytest.param(path, id=relative(path)) for path in paths]


def test_there_is_data() -> None:
    assert SCHEMAS
    assert MATRICES
    assert PROFILES
    assert WITH_SCHEMA


@pytest.mark.parametrize("path", named(SCHEMAS))
def test_schemas_are_valid(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].endswith(path.stem)
    assert schema.get("title")
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", named(SCHEMAS))
def test_schemas_refer_to_nothing_outside(path: Path) -> None:
    """Validation needs no network and no registry."""
    text = path.read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if '"$ref"' in line and '"#' not in line] == []


@pytest.mark.parametrize("path", named(MATRICES))
def test_matrices_expand(path: Path) -> None:
    matrix = load_yaml(path)
    plan = expand(matrix)
    assert plan["cells"]
    assert plan["name"] == path.stem
    assert matrix.get("description")


@pytest.mark.parametrize("path", named(PROFILES))
def test_metrics_profiles_are_read(path: Path) -> None:
    assert load_profile(str(path))


@pytest.mark.parametrize(("path", "schema"), [pytest.param(path, schema, id=relative(path)) for path, schema in WITH_SCHEMA])
def test_data_files_follow_their_schema(path: Path, schema: str) -> None:
    document = json.loads((FILES / "schemas" / f"{schema}.json").read_text(encoding="utf-8"))
    assert [error.message for error in Draft202012Validator(document).iter_errors(load_yaml(path))] == []


@pytest.mark.parametrize("path", named(SCHEMAS))
def test_every_schema_is_used(path: Path) -> None:
    """By code, or, for a data file, by the test above."""
    names = (f'"{path.stem}"', f"{path.stem}.json")
    sources = [path for pattern in ("plugins/**/*.py", "roles/**/*.yml", "tests/*/**/*.py") for path in ROOT.glob(pattern) if path != Path(__file__)]
    used = any(name in source.read_text(encoding="utf-8") for name in names for source in sources)
    assert used or path.stem in SCHEMA_OF_FOLDER.values()
