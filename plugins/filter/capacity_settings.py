# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that validates the inputs of a search for the capacity."""

from __future__ import annotations

DOCUMENTATION = r"""
name: capacity_settings
version_added: 0.2.0
short_description: Validate the inputs of a search for the capacity
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Returns the parameters of the search for the plan, the overrides of the matrix, and the objectives that decide.
  - Reports every problem at once, and reads and writes nothing.
options:
  _input:
    description:
      - The inputs axis, start, minimum, maximum, resolution and probes_max, and the axes tenants, concurrency and rate as the user gave them.
      - An empty string counts as not set.
    type: dict
    required: true
  objectives:
    description: The objectives; those of severity error decide.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Print the parameters of a search
  ansible.builtin.debug:
    msg: "{{ {'axis': 'rate', 'start': 2} | perfscale.mlflow.capacity_settings(objectives) }}"
"""

RETURN = r"""
_value:
  description: A dictionary with the keys search, overrides and objectives.
  type: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.settings import search_inputs
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.axes import MatrixError


def capacity_settings(inputs: dict[str, Any], objectives: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the parameters; raises AnsibleFilterError with one sentence for each problem."""
    try:
        return search_inputs(inputs, objectives)
    except MatrixError as error:
        # Ansible prints the text of every cause behind it, and the sentence is whole.
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"capacity_settings": capacity_settings}
