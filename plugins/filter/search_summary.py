# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that says how long a search for the capacity takes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: search_summary
version_added: 0.2.0
short_description: Say how long a search for the capacity takes
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Returns the bounds on the time of a search, from its fewest and its most probes.
options:
  _input:
    description: The plan of a search, as P(perfscale.mlflow.expand_matrix#filter) returns it.
    type: dict
  between_s:
    description: Seconds between two probes.
    type: float
    default: 5
"""

EXAMPLES = r"""
- name: Print the bounds on time
  ansible.builtin.debug:
    msg: "{{ plan | perfscale.mlflow.search_summary }}"
"""

RETURN = r"""
_value:
  description: One sentence.
  type: str
"""

from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.settings import time_bounds
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import search_of


def search_summary(plan: dict[str, Any], between_s: float = 5) -> str:
    """Return the sentence; the plan has to be that of a search."""
    settings = plan["settings"]
    return time_bounds(search_of(plan) or {}, settings["warmup_s"] + settings["duration_s"], between_s)


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"search_summary": search_summary}
