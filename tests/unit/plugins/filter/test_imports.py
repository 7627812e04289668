# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the filters import: Ansible reads all filters of a collection to find one, and does that again in the process of each task."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
FILTERS = sorted(path.stem for path in (ROOT / "plugins" / "filter").glob("*.py"))
# Half a second of each task that uses a filter went into these.
HEAVY = ["jsonschema", "kubernetes", "matplotlib", "numpy", "pandas", "psutil", "requests", "scipy", "urllib3"]
CODE = """
import importlib, sys
for name in sys.argv[1].split(","):
    importlib.import_module(f"ansible_collections.perfscale.mlflow.plugins.filter.{name}")
print(*sys.modules)
"""


def test_filters_import_no_large_library() -> None:
    environment = {"PYTHONPATH": str(ROOT / ".collections"), "PATH": "/usr/bin:/bin"}
    loaded = subprocess.run([sys.executable, "-c", CODE, ",".join(FILTERS)], env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert "ansible_collections.perfscale.mlflow.plugins.filter.as_list" in loaded
    assert [name for name in HEAVY if name in loaded] == []
