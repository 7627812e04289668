# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that returns the security context of our pods."""

from __future__ import annotations

DOCUMENTATION = r"""
name: security_context
version_added: 0.2.0
short_description: Get the security context of a pod or a container
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - All pods of this collection follow the restricted pod security standard of Kubernetes and run with any user id.
options:
  _input:
    description: What the security context is for.
    type: str
    choices: [pod, container]
    required: true
"""

EXAMPLES = r"""
- name: Print the security context of a container
  ansible.builtin.debug:
    msg: "{{ 'container' | perfscale.mlflow.security_context }}"
"""

RETURN = r"""
_value:
  description: The field C(securityContext).
  type: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pods import CONTAINER_SECURITY_CONTEXT, POD_SECURITY_CONTEXT

CONTEXTS = {"pod": POD_SECURITY_CONTEXT, "container": CONTAINER_SECURITY_CONTEXT}


def security_context(subject: str) -> dict[str, Any]:
    """Return a copy of the security context; raises AnsibleFilterError with one sentence."""
    if subject not in CONTEXTS:
        raise AnsibleFilterError(f"Security context {subject}: unknown subject. Allowed: {', '.join(CONTEXTS)}.")
    return dict(CONTEXTS[subject])


class FilterModule:
    """Ansible's entry point of the filter."""

    def filters(self) -> dict[str, Any]:
        return {"security_context": security_context}
