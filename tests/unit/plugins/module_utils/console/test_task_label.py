# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and places of tasks."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.console.task_label import task_label, task_location


@pytest.mark.parametrize(
    ("name", "label"),
    [("perfscale.mlflow.local_stack : Start MLflow", "Start MLflow"), ("other.role : Start it", "other.role : Start it"), (" Start it ", "Start it")],
)
def test_a_task_is_called_by_its_name(name, label):
    assert task_label(name) == label


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/x/.collections/y/roles/report/tasks/main.yml:4", "roles/report/tasks/main.yml:4"),
        ("/x/playbooks/tasks/describe.yml:12", "playbooks/tasks/describe.yml:12"),
        ("/tmp/play.yml:3", "play.yml:3"),
        (None, ":"),
    ],
)
def test_a_task_has_a_place(path, location):
    assert task_location(path) == location
