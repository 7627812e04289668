# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.filter.security_context import FilterModule, security_context


def test_pods_follow_the_restricted_standard() -> None:
    assert security_context("pod") == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_containers_follow_the_restricted_standard() -> None:
    context = security_context("container")
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}


def test_an_unknown_subject_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match=r"Security context node: unknown subject\. Allowed: pod, container"):
        security_context("node")


def test_the_filter_has_its_name() -> None:
    assert FilterModule().filters() == {"security_context": security_context}
