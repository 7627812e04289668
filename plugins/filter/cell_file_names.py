# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that names the files of a cell."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cell_file_names
version_added: 0.2.0
short_description: Get the names of the summary and metrics files of a cell
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - The names contain the tenants and the concurrency or rate of the cell, as in C(summary_tenants-1_concurrency_5.json) and C(metrics_1_rate_0.5.csv).
options:
  _input:
    description: A cell of a plan, as the filter P(perfscale.mlflow.expand_matrix#filter) returns it.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Print summary_tenants-1_concurrency_5.json
  ansible.builtin.debug:
    msg: "{{ (plan.cells | first | perfscale.mlflow.cell_file_names).summary }}"
"""

RETURN = r"""
_value:
  description: The keys C(summary) and C(metrics).
  type: dict
"""

from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import cell_file_names


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"cell_file_names": cell_file_names}
