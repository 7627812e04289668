# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus double for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.perfscale.mlflow.tests.unit.plugins.module_utils.prometheus.prometheus_double import PrometheusDouble, prometheus_double


@pytest.fixture(name="double")
def fixture_double() -> Iterator[PrometheusDouble]:
    with prometheus_double() as double:
        yield double
