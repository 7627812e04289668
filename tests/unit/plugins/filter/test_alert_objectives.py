# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.filter.alert_objectives import FilterModule, alert_objectives


def test_a_file_is_read(tmp_path):
    (tmp_path / "alerts.yml").write_text("- {expr: up == 0, severity: error}\n")
    assert [alert["name"] for alert in alert_objectives(tmp_path / "alerts.yml")] == ["up == 0"]


@pytest.mark.parametrize("path", ["", None])
def test_no_file_has_no_alerts(path):
    assert alert_objectives(path) == []


def test_a_problem_is_a_sentence(tmp_path):
    with pytest.raises(AnsibleFilterError, match="Alert profile /absent: not readable"):
        alert_objectives("/absent")


def test_the_filter_has_its_name():
    assert FilterModule().filters() == {"alert_objectives": alert_objectives}
