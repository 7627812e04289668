# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The taxonomy of failures."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.outcome import failure, unmeasured_wait_ms


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        pytest.param(200, "", None, id="200"),
        pytest.param(299, "", None, id="299"),
        pytest.param(302, "", "http_302", id="redirect"),
        pytest.param(200, "1701", "other", id="200 whose body could not be decoded"),
        pytest.param(200, "1050", "timeout", id="200 whose body did not arrive in time"),
        pytest.param(404, "1404", "http_404", id="404"),
        pytest.param(503, "1503", "http_503", id="503"),
        pytest.param(100, "", "http_100", id="100"),
        pytest.param(0, "1050", "timeout", id="timeout"),
        pytest.param(0, "1212", "connection", id="refused"),
        pytest.param(0, "1220", "connection", id="reset"),
        pytest.param(0, "1101", "dns", id="no such host"),
        pytest.param(0, "1310", "tls", id="unknown authority"),
        pytest.param(0, "1000", "other", id="generic"),
        pytest.param(0, "", "other", id="no code"),
    ],
)
def test_failure(status, code, cause):
    assert failure(status, code) == cause


@pytest.mark.parametrize(
    ("code", "timeout_ms", "charged"),
    [
        pytest.param("1050", 60000, 60000, id="request timeout"),
        pytest.param("1211", 60000, 30000, id="dial limit"),
        pytest.param("1211", 5000, 5000, id="request timeout below the dial limit"),
        pytest.param("1212", 60000, 0, id="refused at once"),
    ],
)
def test_unmeasured_wait(code, timeout_ms, charged):
    assert unmeasured_wait_ms(code, timeout_ms) == charged
