# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sweep over users in the report: the fit in a sentence and a picture, or neither with too few levels."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import charts, style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.findings import key_findings
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import build_model
from fakes.report_sources import read_sources
from fakes.run_factory import write_run

LEVELS = (1, 2, 4, 8, 16, 32)


def model_of(directory, levels):
    return build_model(read_sources([write_run(directory / "run", tenants=(1,), concurrency=levels, repeats=3)]))


def sentences(model):
    return [sentence for sentence in key_findings(model) if sentence.startswith("Scalability")]


def test_six_levels_are_fitted(tmp_path):
    [found] = sentences(model_of(tmp_path, LEVELS))
    assert found.startswith("Scalability with 1 tenant: ")
    assert "(Universal Scalability Law, 6 levels)." in found


def test_six_levels_have_a_picture(tmp_path):
    model = model_of(tmp_path, LEVELS)
    assert charts.names_of(model)[0] == "chart_scalability"
    with style.applied():
        assert style.png_bytes(charts.chart("chart_scalability").draw(model)).startswith(b"\x89PNG")


@pytest.mark.parametrize("levels", [(5,), (5, 10, 20, 40, 80)])
def test_fewer_levels_are_not_fitted(tmp_path, levels):
    model = model_of(tmp_path, levels)
    assert sentences(model) == []
    assert "chart_scalability" not in charts.names_of(model)
