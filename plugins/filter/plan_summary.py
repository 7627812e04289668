# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that summarizes a plan in one line."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plan_summary
version_added: 0.2.0
short_description: Summarize a plan in one line
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Lists the number of cells, the duration of the load, the estimated duration of the prefill of all tenants, and the maximum disk space.
options:
  _input:
    description: A plan, as P(perfscale.mlflow.expand_matrix#filter) returns it.
    type: dict
    required: true
  clones:
    description: Whether one tenant is filled through REST and the others are clones of it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Print "Plan smoke, 4 cells, 2 min 40 s of load, about 9 s of prefill, at most 27 MB on disk."
  ansible.builtin.debug:
    msg: "{{ plan | perfscale.mlflow.plan_summary }}"
"""

RETURN = r"""
_value:
  description: One sentence.
  type: str
"""

from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import summary


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"plan_summary": summary}
