# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tenants.csv: the window's requests per tenant."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_text

COLUMNS = ("tenant", "n", "ok", "failed", "rate_per_s", "p50_ms", "p95_ms", "max_ms")


def write_tenants(path: Path, by_tenant: dict[str, dict[str, Any]]) -> None:
    """Write one line per tenant from its block; a percentile with too few samples is empty. Raises FileWriteError."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for tenant, block in by_tenant.items():
        latency = block["latency_ms"]
        writer.writerow([tenant, block["n"], block["ok"], block["failed"], block["rate_per_s"], latency["p50"], latency["p95"], latency["max"]])
    write_text(path, text.getvalue())
