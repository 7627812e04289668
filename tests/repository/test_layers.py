# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Areas of module_utils import downwards only, and the HTTP layer has no rival."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from checkout import ROOT

AREAS = ROOT / "plugins" / "module_utils"
# From the ground floor up: an area imports areas of the floors below its own, and none of its own floor.
FLOORS = (
    ("common",),
    ("matrix", "statistics"),
    ("console", "k6", "mlflow", "prometheus"),
    ("record",),
    ("local", "kubernetes", "capacity"),
    ("platform",),
    ("generator",),
    ("publish", "report"),
    ("comparison",),
)
FLOOR_OF = {area: number for number, floor in enumerate(FLOORS) for area in floor}
PREFIX = "ansible_collections.perfscale.mlflow.plugins.module_utils."
# Libraries that would be a second HTTP layer. local/watcher runs without any library, and sends no requests.
HTTP_LIBRARIES = ("urllib.request", "http.client", "requests", "httpx", "aiohttp")
# urllib3 is the layer's; the kubernetes package has its own pool, which uses the policy.
URLLIB3_AREAS = ("common", "kubernetes")

each_file = pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(AREAS))) for path in sorted(AREAS.glob("*/*.py"))])


def imported(path: Path) -> set[str]:
    """Return the names of the modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{name.name}" for name in node.names)
    return found


def test_every_area_has_its_floor() -> None:
    assert {path.name for path in AREAS.iterdir() if any(path.glob("*.py"))} <= set(FLOOR_OF)


@each_file
def test_an_area_imports_lower_floors_only(path: Path) -> None:
    area = path.parent.name
    others = {name.removeprefix(PREFIX).split(".")[0] for name in imported(path) if name.startswith(PREFIX)} - {area}
    assert sorted(other for other in others if FLOOR_OF[other] >= FLOOR_OF[area]) == []


@each_file
def test_http_goes_through_the_common_layer(path: Path) -> None:
    names = imported(path)
    # bounded_response gives the layer's connections their responses, which are those of http.client.
    if path not in (AREAS / "common" / "http_client.py", AREAS / "common" / "bounded_response.py"):
        assert sorted(library for library in HTTP_LIBRARIES if library in names) == []
    if path.parent.name not in URLLIB3_AREAS:
        assert "urllib3" not in names
