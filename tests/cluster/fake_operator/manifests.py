# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake's manifests, as a user of role mlflow_operator would have them: a directory of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
PROGRAM = ("main.py", "children.py", "server.py", "status.py")


def objects(namespace: str) -> list[dict[str, Any]]:
    """Return the fake's objects for a namespace, its program among them."""
    program = {name: (HERE / name).read_text(encoding="utf-8") for name in PROGRAM}
    found: list[dict[str, Any]] = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "fake-operator"}, "data": program}]
    for path in sorted((HERE / "manifests").glob("*.yml")):
        found += [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]
    for manifest in found:
        for subject in manifest.get("subjects") or []:
            subject["namespace"] = namespace
    return found


def write(directory: Path, namespace: str) -> Path:
    """Write the manifests into a directory and return it. The role sets images and version, as with the real ones."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "operator.yml").write_text(yaml.safe_dump_all(objects(namespace), sort_keys=False), encoding="utf-8")
    return directory
