# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that expands a matrix into a plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: expand_matrix
version_added: 0.1.0
short_description: Expand a matrix of tenants, concurrency or rate, profile and repeats into a plan
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Validates the declared axes together with the overrides of the user, and reports every problem at once.
  - Returns the ordered cells with their ids, a digest, and an estimate of load time and disk.
  - Reads and writes nothing.
options:
  _input:
    description: The matrix, as read from a file of C(files/matrices).
    type: dict
    required: true
  overrides:
    description:
      - The overrides of the user, by axis or setting (tenants, concurrency, rate, profile, repeats, duration, warmup, order, seed).
      - An empty string or list counts as not set.
    type: dict
    default: {}
  context:
    description: Other values that distinguish two runs, such as the shape of the data set; they become part of the digest.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Print the cells of a matrix
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.file', 'smoke.yml') | from_yaml
      | perfscale.mlflow.expand_matrix(overrides={'duration': '1h30m'}) }}"
"""

RETURN = r"""
_value:
  description: The plan with the keys schema_version, name, digest, settings, cells and estimate.
  type: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.axes import MatrixError
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import expand


def expand_matrix(matrix: dict[str, Any], overrides: dict[str, Any] | None = None, context: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the plan; raises AnsibleFilterError with one sentence for each problem."""
    try:
        return expand(matrix, overrides, context)
    except MatrixError as error:
        # Ansible prints the text of every cause behind it, and the sentence is whole.
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"expand_matrix": expand_matrix}
