# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which run a playbook is about, as far as the results of its tasks show it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

LOG = "ansible.log"
FACT = "test_matrix_run_dir"
MODULES = "perfscale.mlflow."


def run_directory(action: str, result: Mapping[str, Any]) -> str | None:
    """Return the run directory that the result of a task names: as the fact of the roles, or as an argument of a module of this collection."""
    facts = result.get("ansible_facts")
    if isinstance(facts, Mapping) and isinstance(facts.get(FACT), str):
        return str(facts[FACT])
    invocation = result.get("invocation")
    arguments = invocation.get("module_args") if isinstance(invocation, Mapping) else None
    if not action.startswith(MODULES) or not isinstance(arguments, Mapping):
        return None
    named, target = arguments.get("run_directory"), arguments.get("path")
    if isinstance(named, str):
        return named
    return os.path.dirname(target) if isinstance(target, str) and os.path.basename(target) == "target.json" else None
