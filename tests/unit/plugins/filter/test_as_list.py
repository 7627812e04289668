# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.filter.as_list import FilterModule

as_list = FilterModule().filters()["as_list"]


def test_text_is_split_and_anything_else_named():
    assert as_list("a,b", "report_sources") == ["a", "b"]
    with pytest.raises(AnsibleFilterError, match="Input report_sources: not a list"):
        as_list(7, "report_sources")


def test_broken_text_is_one_sentence():
    with pytest.raises(AnsibleFilterError) as caught:
        as_list("[a", "report_sources")
    assert str(caught.value) == (
        "Input report_sources: neither YAML nor JSON (expected ',' or ']', but got '<stream end>'). "
        "Give it as -e report_sources=a,b or '{\"report_sources\": [\"a\", \"b\"]}', or in a file as -e @FILE."
    )
