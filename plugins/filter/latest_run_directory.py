# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that finds the directory of the latest run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: latest_run_directory
version_added: 0.2.0
short_description: Get the directory of the latest run
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Reads C(latest) in a directory of runs, a symbolic link or, where the file system has no links, a file with the run id.
options:
  _input:
    description: The directory that holds one directory for each run.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Print the directory of the latest run
  ansible.builtin.debug:
    msg: "{{ '/srv/results' | perfscale.mlflow.latest_run_directory }}"
"""

RETURN = r"""
_value:
  description: The directory of the run that C(latest) names, whether or not it exists; the path of C(latest) itself when it names none.
  type: path
"""

from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.record.latest import NAME, run_id_of


def latest_run_directory(results: str) -> str:
    """Return the directory of the latest run below a directory of runs."""
    directory = Path(results).expanduser()
    return str(directory / (run_id_of(directory) or NAME))


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"latest_run_directory": latest_run_directory}
