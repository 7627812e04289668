# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a matrix, and its errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.filter.expand_matrix import FilterModule

expand_matrix = FilterModule().filters()["expand_matrix"]
SMOKE = yaml.safe_load((Path(__file__).resolve().parents[4] / "files" / "matrices" / "smoke.yml").read_text(encoding="utf-8"))


def test_overrides_replace_the_axes():
    assert [cell["id"] for cell in expand_matrix(SMOKE, {"tenants": "2", "concurrency": "3"})["cells"]] == ["t2-c3-r1"]


def test_an_error_is_one_sentence():
    with pytest.raises(AnsibleFilterError, match="Axis concurrency: 0 is not allowed"):
        expand_matrix(SMOKE, {"concurrency": 0})
