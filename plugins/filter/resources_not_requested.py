# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that returns the resources of a cell without metrics."""

from __future__ import annotations

DOCUMENTATION = r"""
name: resources_not_requested
version_added: 0.1.0
short_description: Return the resources of a cell that was measured without a metrics profile
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Returns each component with the status V(not_requested) and null figures, in the form of the module M(perfscale.mlflow.prometheus_query_info).
options:
  _input:
    description: Components, as a list of names or a dict by name.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Print resources without figures
  ansible.builtin.debug:
    msg: "{{ ['mlflow', 'k6_benchmark'] | perfscale.mlflow.resources_not_requested }}"
"""

RETURN = r"""
_value:
  description: The resources by component.
  type: dict
"""

from collections.abc import Iterable
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.resources import not_requested


def resources_not_requested(components: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return {component: resources} with the status not_requested."""
    return not_requested(components)


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"resources_not_requested": resources_not_requested}
