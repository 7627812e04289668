# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources of a cell without metrics."""

from __future__ import annotations

from ansible_collections.perfscale.mlflow.plugins.filter.resources_not_requested import FilterModule

resources_not_requested = FilterModule().filters()["resources_not_requested"]


def test_every_component_is_not_requested_and_has_no_figures():
    resources = resources_not_requested(["mlflow", "k6_benchmark"])
    assert list(resources) == ["mlflow", "k6_benchmark"]
    assert {resource["status"] for resource in resources.values()} == {"not_requested"}
    assert resources["mlflow"]["cpu_cores_mean"] is None
