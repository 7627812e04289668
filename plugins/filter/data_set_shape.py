# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that completes and validates the shape of a data set and adds its digest."""

from __future__ import annotations

DOCUMENTATION = r"""
name: data_set_shape
version_added: 0.1.0
short_description: Complete and validate the shape of a data set, and add its digest
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Fills in the defaults, converts strings to numbers and adds the digest that identifies the data set.
  - Reads and writes nothing.
options:
  _input:
    description: What a tenant holds, as in the option O(perfscale.mlflow.data_set_info#module:shape).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Print the digest of a data set
  ansible.builtin.debug:
    msg: "{{ ({'runs_per_experiment': 5} | perfscale.mlflow.data_set_shape).digest }}"
"""

RETURN = r"""
_value:
  description: The keys C(digest) (12 hexadecimal digits) and C(shape) (all six numbers).
  type: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.shape import check_shape, shape_digest


def data_set_shape(given: dict[str, Any]) -> dict[str, Any]:
    """Return {digest, shape}; raises AnsibleFilterError with one sentence."""
    try:
        shape = check_shape(given)
    except MlflowError as error:
        # Ansible prints the text of every cause behind it, and the sentence is whole.
        raise AnsibleFilterError(str(error)) from None
    return {"digest": shape_digest(shape), "shape": shape}


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"data_set_shape": data_set_shape}
