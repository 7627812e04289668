# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that converts a duration into seconds."""

from __future__ import annotations

DOCUMENTATION = r"""
name: seconds
version_added: 0.1.0
short_description: Convert a duration into seconds
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Accepts durations of k6 and Go, such as C(90s), C(10m) or C(1h30m), and plain seconds.
options:
  _input:
    description: The duration.
    type: raw
    required: true
  name:
    description: The name of the duration in errors.
    type: str
    default: duration
"""

EXAMPLES = r"""
- name: Print 5400
  ansible.builtin.debug:
    msg: "{{ '1h30m' | perfscale.mlflow.seconds }}"
"""

RETURN = r"""
_value:
  description: Seconds.
  type: float
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.duration import parse_duration


def seconds(value: Any, name: str = "duration") -> float:
    """Return seconds; raises AnsibleFilterError with one sentence."""
    try:
        return parse_duration(value, name)
    except ValueError as error:
        # Ansible prints the text of every cause behind it, and the sentence is whole.
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"seconds": seconds}
