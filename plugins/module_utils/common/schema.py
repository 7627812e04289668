# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation of a document against a JSON Schema of files/schemas."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_json

try:
    import jsonschema
except ImportError:  # the module that uses this reports the missing library
    jsonschema = None  # type: ignore[assignment]


@lru_cache(maxsize=16)
def _validator(path: Path) -> Any:
    return jsonschema.Draft202012Validator(read_json(path))


def check(document: Any, name: str, schema_dir: Path | str, file: Path | str | None = None) -> None:
    """Raise ValueError with one sentence for the most relevant deviation from files/schemas/<name>.json.

    The sentence names the `file` that the document was read from, if any, and the field.
    """
    validator = _validator(Path(schema_dir) / f"{name}.json")
    error = jsonschema.exceptions.best_match(validator.iter_errors(document))
    if error is not None:
        where = "/".join(str(part) for part in error.absolute_path) or "the document"
        what = f"Document {name}" if file is None else f"File {file}"
        raise ValueError(f"{what}: at {where}: {error.message[:400]}. It does not follow files/schemas/{name}.json.")
