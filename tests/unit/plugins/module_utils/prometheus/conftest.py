# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake Prometheus for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fakes.fake_prometheus import FakePrometheus


@pytest.fixture(name="server")
def fixture_server() -> Iterator[FakePrometheus]:
    with FakePrometheus() as server:
        yield server
