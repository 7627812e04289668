# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both the page and the Markdown summary show of a search for the capacity, as plain rows of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import NONE, number

RESOURCE_COLUMNS = ("resource", "one step below", "at the limit", "available", "used")
PROBE_COLUMNS = ("probe", "load", "verdict", "requests/s", "why")
_MIB = 1024**2
_METHODS = {
    "fit": "a local fit of the latency over the load",
    "saturation": "the rate at which the server works when it is saturated",
    "bracket": "the loads that hold and fail, without a level of confidence",
}


def capacity_sections(model: Model) -> list[dict[str, Any]]:
    """Return one entry per search: {run_id, sentence, facts, resources: rows of RESOURCE_COLUMNS, probes: rows of PROBE_COLUMNS}."""
    return [_section(run.run_id, run.capacity) for run in model.runs if run.capacity]


def _section(run_id: str, document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "sentence": document["sentence"],
        "facts": _facts(document),
        "cause": document["cause"]["sentence"] if document["cause"] else "",
        "resources": [_resource(row) for row in document["cause"]["figures"]] if document["cause"] else [],
        "probes": [
            [probe["id"], number(probe["load"]), _verdict(probe), number(probe["rate_per_s"]), probe["why"]]
            for probe in sorted(document["probes"], key=lambda probe: probe["load"])
        ],
    }


def _facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    unit, crossing, breaks, shown = document["unit"], document["crossing"], document["breaks"], document["shown"]
    names = {"holds": "highest load shown to hold", "fails": "lowest load shown to fail"}
    facts = [(name, NONE if shown[key] is None else f"{number(shown[key])} {unit}") for key, name in names.items()]
    if crossing:
        width = f"{100 * crossing['width']:.0f} % wide, wanted {100 * document['search']['resolution']:.0f} %"
        facts.append(("95 % interval of the limit", f"{number(crossing['low'])} to {number(crossing['high'])} {unit} ({width})"))
        facts.append(("from", f"{_METHODS[crossing['method']]}, {crossing['probes']} probes"))
    if breaks:
        facts.append(("breaks first", ", ".join([*filter(None, [breaks["by"]]), f"operation {breaks['operation'] or NONE}"])))
        facts.append(("compared", f"{breaks['at']} at the limit, {breaks['below'] or 'nothing'} one step below"))
    return facts


def _resource(row: Mapping[str, Any]) -> list[str]:
    unit = row["unit"]
    texts = [_amount(row[key], unit) for key in ("used_below", "used", "available")]
    return [row["label"], *texts, NONE if row["share"] is None else f"{100 * row['share']:.0f} %"]


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return NONE
    return f"{number(value / _MIB)} MiB" if unit == "bytes" else f"{number(value)} {unit}".strip()


def _verdict(probe: Mapping[str, Any]) -> str:
    return "fails (stopped)" if probe["is_hopeless"] else str(probe["verdict"])
