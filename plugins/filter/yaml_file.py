# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that reads a YAML file of a user."""

from __future__ import annotations

DOCUMENTATION = r"""
name: yaml_file
version_added: 0.2.0
short_description: Read a YAML file as editors save it
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Returns the dictionary in a file of the controller, or one of its lists. Every problem is one sentence with the name of the file.
  - Accepts UTF-8, with or without a byte order mark, and UTF-16 and UTF-32 with one.
options:
  _input:
    description: The path of the file.
    type: path
    required: true
  name:
    description: What the file is, for errors.
    type: str
    default: File
  key:
    description: The key of a list of dictionaries, which is returned instead of the whole dictionary.
    type: str
"""

EXAMPLES = r"""
- name: Print the objectives
  ansible.builtin.debug:
    msg: "{{ 'files/slo/default.yml' | perfscale.mlflow.yaml_file('Objectives file', 'objectives') }}"
"""

RETURN = r"""
_value:
  description: The dictionary, or its list O(key).
  type: raw
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.text_input import read_yaml


def yaml_file(path: Any, name: str = "File", key: str = "") -> Any:
    """Return the content of a file; raises AnsibleFilterError with one sentence."""
    try:
        return read_yaml(str(path), name, key)
    except ValueError as error:
        # Ansible prints the text of every cause behind it, and the sentence is whole.
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"yaml_file": yaml_file}
