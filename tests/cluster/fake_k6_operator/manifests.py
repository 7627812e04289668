# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifests of the fake of the k6-operator, in the order in which they are created."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
PROGRAM = (HERE / "main.py", HERE / "jobs.py", HERE.with_name("fake_operator") / "server.py")
NAMESPACE = "k6-operator-system"
# As a tag, from which the version of the real one is read.
VERSION = "1.6.0"


def objects(image: str) -> list[dict[str, Any]]:
    """Return all objects of the fake; `image` has Python and the client of Kubernetes."""
    found: list[dict[str, Any]] = []
    for path in sorted((HERE / "manifests").glob("*.yml")):
        found += [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]
    program = {path.name: path.read_text(encoding="utf-8") for path in PROGRAM}
    metadata = {"name": "fake-k6-operator", "namespace": NAMESPACE}
    found.insert(-1, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": program})
    for manifest in found:
        if manifest["kind"] == "Deployment":
            manifest["spec"]["template"]["spec"]["containers"][0]["image"] = image
            manifest["metadata"]["labels"] = {"app.kubernetes.io/version": VERSION}
    return found
