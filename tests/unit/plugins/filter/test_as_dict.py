# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.filter.as_dict import FilterModule

as_dict = FilterModule().filters()["as_dict"]


def test_text_is_parsed_and_anything_else_named():
    assert as_dict('{"cpu": 1}', "resources") == {"cpu": 1}
    with pytest.raises(AnsibleFilterError, match="Input resources: not a dictionary"):
        as_dict("cpu", "resources")


def test_broken_text_is_one_sentence():
    with pytest.raises(AnsibleFilterError) as caught:
        as_dict("{a", "tenant_labels")
    assert str(caught.value) == (
        "Input tenant_labels: neither YAML nor JSON (expected ',' or '}', but got '<stream end>'). "
        "Give it as -e '{\"tenant_labels\": {…}}', or in a file as -e @FILE."
    )
