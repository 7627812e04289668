# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that reads an alert profile of kube-burner as objectives."""

from __future__ import annotations

DOCUMENTATION = r"""
name: alert_objectives
version_added: 0.2.0
short_description: Read an alert profile of kube-burner as objectives
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Returns the alerts of a profile as objectives of a cell, which is missed where the alert fires. Every problem is one sentence.
  - The profile is a YAML list of C(expr), C(description) and C(severity). C(critical) counts as C(error); without a severity an alert is of severity C(info).
options:
  _input:
    description: The path of the file, or an empty text for no alerts.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Print the alerts
  ansible.builtin.debug:
    msg: "{{ 'alerts.yml' | perfscale.mlflow.alert_objectives | map(attribute='name') }}"
"""

RETURN = r"""
_value:
  description: The objectives, each with C(name), C(select), C(metric), C(max), C(severity), C(expr) and C(description).
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.alert_profile import load_alerts
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import ProfileError


def alert_objectives(path: Any) -> list[dict[str, Any]]:
    """Return the alerts of a file; raises AnsibleFilterError with one sentence."""
    try:
        return load_alerts(str(path or ""))
    except ProfileError as error:
        # Ansible prints the text of every cause behind it, and the sentence is whole.
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"alert_objectives": alert_objectives}
