#!/usr/bin/env python3
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of the Python of Apache Otava's environment: finds at most one change in a series, the split with the largest difference of the means of both parts.

It is run like that Python, with the series on its input, ignores the program that it is given, and knows no p-value: the difference has to be more than twice
the least change. With FAKE_OTAVA_BREAKS in its environment it ends like an environment without Otava.
"""

from __future__ import annotations

import json
import os
import sys


def change(values, least):
    """Return the position of the first value after the change as a list, an empty one where no difference is large enough."""
    splits = [(abs(mean(values[place:]) / mean(values[:place]) - 1), place) for place in range(2, len(values) - 1)]
    size, place = max(splits)
    return [place] if size > 2 * least else []


def mean(values):
    return sum(values) / len(values)


if os.environ.get("FAKE_OTAVA_BREAKS"):
    sys.exit("ModuleNotFoundError: No module named 'otava'")
print(json.dumps([change(values, least) for values, least in json.load(sys.stdin)["series"]]))
