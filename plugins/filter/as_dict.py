# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter through which the roles read an input that is a dictionary."""

from __future__ import annotations

DOCUMENTATION = r"""
name: as_dict
version_added: 0.2.0
short_description: Read an input that is a dictionary, also where it was given as text
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Does for dictionaries what P(perfscale.mlflow.as_list#filter) does for lists.
positional: name
options:
  _input:
    description: A dictionary, or text that is one in YAML or JSON.
    required: true
    type: raw
  name:
    description: What the error calls the input.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show labels that may have been given as text
  ansible.builtin.debug:
    msg: "{{ my_labels | perfscale.mlflow.as_dict('my_labels') }}"
"""

RETURN = r"""
_value:
  description: The dictionary.
  type: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.text_input import as_dict


def convert(value: Any, name: str) -> dict[str, Any]:
    """Return the dictionary; raises AnsibleFilterError with one sentence."""
    try:
        return as_dict(value, name)
    except ValueError as error:
        # Ansible prints the text of every cause behind it, and the sentence is whole.
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"as_dict": convert}
