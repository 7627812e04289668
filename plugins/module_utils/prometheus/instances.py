# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many instances (pods) a component had over a window, counted from a range query that has a series for each."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.measurement import Row


def count(rows: Sequence[Row], everything: Sequence[Row]) -> dict[str, float]:
    """Returns {instance_count_min, _max, _last, instances_started} of one component's rows, {} when they tell no instances apart.

    A time at which nothing of `everything` (the rows of all components) was seen is a gap of the monitoring and does not count;
    any other time without an instance of ours counts as one without. An instance has started when it was not there at first.
    """
    seen = sorted({stamp for row in everything for stamp, _value in row.points})
    instances = {row.instance: {stamp for stamp, _value in row.points} for row in rows if row.instance is not None and row.points}
    if not instances:
        return {}
    counts = [sum(stamp in stamps for stamps in instances.values()) for stamp in seen]
    return {
        "instance_count_min": float(min(counts)),
        "instance_count_max": float(max(counts)),
        "instance_count_last": float(counts[-1]),
        "instances_started": float(sum(seen[0] not in stamps for stamps in instances.values())),
    }
