# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter through which the roles read an input that is a list."""

from __future__ import annotations

DOCUMENTATION = r"""
name: as_list
version_added: 0.2.0
short_description: Read an input that is a list, also where it was given as text
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Extra variables of the form C(-e name=value) and answers of a survey are texts, and Ansible keeps them as such although the argument spec of the role
    asks for a list. This returns the list, or fails with a sentence.
positional: name, elements
options:
  _input:
    description: A list, text that is a list in YAML or JSON, or texts with commas between them.
    type: raw
    required: true
  name:
    description: Name of the input, for the error.
    type: str
    required: true
  elements:
    description: What the elements are.
    type: str
    choices: [str, dict]
    default: str
"""

EXAMPLES = r"""
- name: Loop over what may have been given as -e report_sources=a,b
  ansible.builtin.debug:
    msg: "{{ item }}"
  loop: "{{ report_sources | perfscale.mlflow.as_list('report_sources') }}"
"""

RETURN = r"""
_value:
  description: The list.
  type: list
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.text_input import as_list


def convert(value: Any, name: str, elements: str = "str") -> list[Any]:
    """Return the list; raises AnsibleFilterError with one sentence."""
    try:
        return as_list(value, name, elements)
    except ValueError as error:
        # Ansible prints the text of every cause behind it, and the sentence is whole.
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"as_list": convert}
