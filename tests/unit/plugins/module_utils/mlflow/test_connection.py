# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.connection import client_from, tenant_numbers
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError

OPTIONS = {"url": "http://127.0.0.1:1/", "token_file": None, "ca_file": None, "validate_certs": True, "request_timeout": 1.0, "parallelism": 2}


def test_makes_a_client():
    assert client_from(OPTIONS).url == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        pytest.param({"parallelism": 0}, "Option parallelism 0: is out of range. Allowed are 1 to 64", id="no-parallelism"),
        pytest.param({"parallelism": 65}, "out of range", id="too-parallel"),
        pytest.param({"request_timeout": 0.0}, "is not a time", id="no-time"),
        pytest.param({"url": "x"}, "is not a base URL", id="url"),
    ],
)
def test_refuses_unusable_options(changed, part):
    with pytest.raises(MlflowError, match=part):
        client_from({**OPTIONS, **changed})


@pytest.mark.parametrize(
    ("options", "numbers"),
    [pytest.param({"count": 3}, [1, 2, 3], id="count"), pytest.param({"numbers": [7, 2], "count": None}, [7, 2], id="numbers")],
)
def test_numbers_tenants(options, numbers):
    assert tenant_numbers(options) == numbers


@pytest.mark.parametrize("options", [{"count": 0}, {"count": None}, {"numbers": []}, {"numbers": [0]}, {"numbers": [1, 1]}])
def test_refuses_no_tenants(options):
    with pytest.raises(MlflowError, match=r"Tenants: none"):
        tenant_numbers(options)
