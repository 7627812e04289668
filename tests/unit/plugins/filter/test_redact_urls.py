# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.perfscale.mlflow.plugins.filter.redact_urls import FilterModule, redact_urls


def test_a_log_loses_user_information_only() -> None:
    log = "INFO store postgresql://mlflow:pass-w0rd@db:5432/mlflow\nGET http://host/a?page=2&token=pass-w0rd\n"
    assert redact_urls(log) == "INFO store postgresql://***@db:5432/mlflow\nGET http://host/a?page=2&token=***\n"
    assert redact_urls(None) == "None"


def test_the_filter_has_its_name() -> None:
    assert FilterModule().filters() == {"redact_urls": redact_urls}
