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
      - In a cluster C(workers), C(replicas), C(image), C(db_backend), C(token_mode), C(cpu_limit) and C(memory_limit).
    type: dict
  environment:
    description: Where they are deployed.
    type: str
    choices: [local, kubernetes, openshift]
    default: local
  rounds:
    description: In how many rounds the deployments are measured. Every second round has the reverse order, so that a drift of the machine falls on all alike.
    type: int
    default: 1
"""

EXAMPLES = r"""
- name: Print the labels of four deployments
  ansible.builtin.debug:
    msg: "{{ {'workers': [1, 2], 'db_backend': ['sqlite', 'postgres']} | perfscale.mlflow.deployments | map(attribute='label') }}"
"""

RETURN = r"""
_value:
  description:
    - Dictionaries with the keys C(label) and C(variables), the values by role variable, and C(deployment), the label without the round.
    - With O(rounds) above 1 there is one for each deployment in each round, and the label ends with the round.
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.deployments import deployments_of, visits_of


def deployments(axes: dict[str, Any], environment: str = "local", rounds: int | str = 1) -> list[dict[str, Any]]:
    """Return the deployments in the order in which they are measured; raises AnsibleFilterError with one sentence."""
    try:
        return visits_of(deployments_of(axes, environment), int(rounds))
    except ValueError as error:
        # Ansible prints the text of every cause behind it, and the sentence is whole.
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"deployments": deployments}
