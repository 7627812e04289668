# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations as seconds."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.filter.seconds import FilterModule

seconds = FilterModule().filters()["seconds"]


@pytest.mark.parametrize(("text", "expected"), [("30m", 1800), ("1h30m", 5400), (90, 90), ("45", 45)])
def test_durations_become_seconds(text, expected):
    assert seconds(text) == expected


def test_an_error_names_the_duration():
    with pytest.raises(AnsibleFilterError, match="MAX_DURATION 'ten': is not a duration"):
        seconds("ten", "MAX_DURATION")
