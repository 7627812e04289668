# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that expands the axes of deployments."""

from __future__ import annotations

DOCUMENTATION = r"""
name: deployments
version_added: 0.2.0
short_description: Expand the axes of deployments
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Returns every combination of the values of the axes, in declared order.
  - Each has a label that can be part of a run id, and the role variables that deploy it.
options:
  _input:
    description:
      - The values by axis, on this machine C(workers), C(db_backend) and C(mlflow_version).
      - In a cluster C(workers), C(replicas), C(db_backend), C(token_mode), C(cpu_limit) and C(memory_limit).
    type: dict
  environment:
    description: Where they are deployed.
    type: str
    choices: [local, kubernetes, openshift]
    default: local
"""

EXAMPLES = r"""
- name: Print the labels of four deployments
  ansible.builtin.debug:
    msg: "{{ {'workers': [1, 2], 'db_backend': ['sqlite', 'postgres']} | perfscale.mlflow.deployments | map(attribute='label') }}"
"""

RETURN = r"""
_value:
  description: Dictionaries with the keys C(label) and C(variables), the values by role variable.
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.deployments import deployments_of


def deployments(axes: dict[str, Any], environment: str = "local") -> list[dict[str, Any]]:
    """Return the deployments; raises AnsibleFilterError with one sentence."""
    try:
        return deployments_of(axes, environment)
    except ValueError as error:
        # Ansible prints the text of every cause behind it, and the sentence is whole.
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"deployments": deployments}
