# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person calls a task, and where it is."""

from __future__ import annotations

import os
import re

_ROLE = re.compile(r"\Aperfscale\.mlflow\.\w+ : ")


def task_label(name: str) -> str:
    """Return the name of a task without the role that ansible-core puts before it."""
    return _ROLE.sub("", name.strip())


def task_location(path: str | None) -> str:
    """Return file and line of a task, the file from its role or playbook on."""
    file, _colon, line = (path or "").rpartition(":")
    parts = file.split(os.sep)
    for room in ("roles", "playbooks"):
        if room in parts:
            return f"{'/'.join(parts[parts.index(room) :])}:{line}"
    return f"{os.path.basename(file)}:{line}"
