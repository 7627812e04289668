# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queries of the Grafana dashboard, with its variables as Grafana fills them in. There is no Grafana here; the queries go to a real Prometheus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DASHBOARD = Path(__file__).resolve().parents[2] / "files" / "grafana" / "perfscale_mlflow.json"


def document() -> dict[str, Any]:
    """Return the dashboard."""
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))


def queries(row: str = "", interval: str = "2m") -> dict[str, str]:
    """Return the queries by `row: panel`, of all rows or of those whose title begins with `row`."""
    found: dict[str, str] = {}
    title = ""
    for panel in document()["panels"]:
        if panel["type"] == "row":
            title = panel["title"]
        for target in panel.get("targets", []):
            if title.startswith(row):
                found[f"{title}: {panel['title']}"] = target["expr"].replace("$__rate_interval", interval).replace("$namespace", ".*")
    return found
