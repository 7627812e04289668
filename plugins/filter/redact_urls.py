# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that removes secrets of URLs from a text that becomes a file of the results."""

from __future__ import annotations

DOCUMENTATION = r"""
name: redact_urls
version_added: 0.2.0
short_description: Remove user information and query tokens of URLs from a text
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Puts C(***) in the place of user and password, and of the values of tokens, signatures and passwords in queries.
options:
  _input:
    description: Any text, such as the log of a pod.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Print a log
  ansible.builtin.debug:
    msg: "{{ log | perfscale.mlflow.redact_urls }}"
"""

RETURN = r"""
_value:
  description: The text without secrets of URLs.
  type: str
"""

from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.redaction import redact_text


def redact_urls(text: Any) -> str:
    """Return a text without user information and query tokens of its URLs."""
    return redact_text(str(text))


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"redact_urls": redact_urls}
