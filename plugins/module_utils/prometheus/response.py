# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Responses of Prometheus' query API as plain series, with nothing dropped silently.

Format: https://prometheus.io/docs/prometheus/latest/querying/api/#expression-query-result-formats
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line

_SHOWN_SERIES = 4


class ResponseError(ValueError):
    """A response that does not match its query; the text is one sentence."""


@dataclass
class Series:
    """One time series: its labels, its finite points (epoch seconds, value), and the values that were no number."""

    labels: dict[str, str]
    points: list[tuple[float, float]]
    not_finite: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "{" + ", ".join(f'{key}="{value}"' for key, value in sorted(self.labels.items())) + "}"


def read_series(data: Any, metric: str) -> tuple[str, list[Series]]:
    """Return (scalar|vector|matrix, series) of the `data` part of a response. Raises ResponseError."""
    shape = data.get("resultType") if isinstance(data, Mapping) else None
    try:
        if shape == "scalar":
            return shape, [_series({}, [data["result"]])]
        if shape == "vector":
            return shape, [_series(item["metric"], [item["value"]]) for item in _floats(data["result"], metric)]
        if shape == "matrix":
            return shape, [_series(item["metric"], item["values"]) for item in _floats(data["result"], metric)]
    except ResponseError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        cause = f"lacks {error}" if isinstance(error, KeyError) else "has a part of another type"
        raise ResponseError(f"Metric {metric}: response is not in Prometheus' format ({cause}). Check that the URL is that of a Prometheus.") from error
    raise ResponseError(
        f"Metric {metric}: response is of type {one_line(repr(shape), 40)}. Write a query that gives a scalar, an instant vector or a range of samples."
    )


def _floats(result: Any, metric: str) -> list[dict[str, Any]]:
    """Return the series of a vector or matrix. Raises ResponseError for native histograms, which stand where numbers do and are none.

    Format: https://prometheus.io/docs/prometheus/latest/querying/api/#native-histograms
    """
    items = list(result)
    for item in items:
        if isinstance(item, dict) and (item.get("histogram") or item.get("histograms")):
            raise ResponseError(
                f"Metric {metric}: response has a native histogram{_name(item.get('metric'))}. Take a number of it in the query: "
                "histogram_quantile(), histogram_avg(), histogram_sum() or histogram_count()."
            )
    return items


def _name(labels: Any) -> str:
    return f", {Series({str(key): str(value) for key, value in labels.items()}, [])}" if isinstance(labels, dict) and labels else ""


def _series(labels: Mapping[str, str], samples: Sequence[Sequence[Any]]) -> Series:
    series = Series({one_line(str(key)): one_line(str(value)) for key, value in labels.items()}, [])
    for stamp, text in samples:
        if isinstance(stamp, bool) or not math.isfinite(stamp) or not isinstance(text, str):
            raise ValueError("a sample is no pair of time and number")
        value = float(text)
        if math.isfinite(value):
            series.points.append((float(stamp), value))
        else:
            series.not_finite.append(one_line(text))
    return series


def check_shape(metric: str, shape: str, series: Sequence[Series], expected_shape: str | None, minimum: int | None, maximum: int | None) -> None:
    """Raise ResponseError naming the series it got when the shape or the number of series is not the expected one."""
    if expected_shape and shape != expected_shape:
        raise ResponseError(f"Metric {metric}: expected a {expected_shape}, got a {shape} of {name_series(series)}. Change the query, or its shape.")
    if minimum is not None and len(series) < minimum:
        raise ResponseError(f"Metric {metric}: expected at least {minimum} series, got {name_series(series)}. Check the query's labels and the window.")
    if maximum is not None and len(series) > maximum:
        raise ResponseError(f"Metric {metric}: expected at most {maximum} series, got {name_series(series)}. Aggregate in the query, or raise series_max.")


def name_series(series: Sequence[Series]) -> str:
    """Return a short text that counts series and shows the labels of the first ones."""
    if not series:
        return "no series"
    shown = " ".join(str(one) for one in series[:_SHOWN_SERIES])
    return f"{len(series)} series: {shown}" + (" …" if len(series) > _SHOWN_SERIES else "")
