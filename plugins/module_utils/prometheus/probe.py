# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A probe of a cluster's Prometheus before anything is measured: the interval of its samples, and the components that it sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.response import Series, read_series
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.selector import component_of, matchers, normalize

_METRIC = "container_cpu_usage_seconds_total"
_LOOKBACK_S = 600
# Of Prometheus itself: one sample for every scrape of every target.
_UP = "up"
# With fewer than two differences the mean would be chance.
_SAMPLES_NEEDED = 3
# Scrape intervals that a window needs for a mean and for a peak (docs/metrics.md).
MEAN_INTERVALS = 2
PEAK_INTERVALS = 4
# Means of ten minutes of irregular samples differ by some per cent; another scrape interval differs by more.
_NOISE = 0.2


@dataclass(frozen=True)
class Probe:
    """`spacing_s`: mean seconds between two samples, None when too few were seen; `seen`: components with a sample in the last ten minutes."""

    spacing_s: float | None
    seen: frozenset[str]


def probe(client: PrometheusClient, components: Mapping[str, Any], at: float) -> Probe:
    """Read raw samples of containers up to epoch seconds `at`: of cAdvisor, else of the kubelet's resource metrics, else of whole nodes.

    The spacing of samples is what matters, not the scrape interval of a configuration: cAdvisor samples a container every
    10 to 15 s, however often it is scraped. Raises PrometheusError, ResponseError, SelectorError.
    """
    selectors = normalize(components, None)
    selected = matchers(selectors)
    queries = [f'{{image!="",container!~"|POD",{selected}}}', f'{{image="",container!="",{selected}}}'] if selected else []
    for labels in queries:
        series = _samples(client, labels, at)
        if series:
            return Probe(spacing(series), frozenset(name for one in series if (name := component_of(one.labels, selectors))))
    return Probe(spacing(_samples(client, '{id="/"}', at)), frozenset())


def observed_interval(client: PrometheusClient, components: Mapping[str, Any], at: float) -> float | None:
    """Return the mean seconds between two samples in the ten minutes before epoch seconds `at`; None when there are too few.

    Of the containers where there are any, since cAdvisor decides about them, else of every target's scrapes.
    Raises PrometheusError, ResponseError, SelectorError.
    """
    selectors = {name: selector for name, selector in components.items() if isinstance(selector, Mapping)}
    return probe(client, selectors, at).spacing_s or spacing(_samples(client, "", at, _UP))


def _samples(client: PrometheusClient, labels: str, at: float, metric: str = _METRIC) -> list[Series]:
    return read_series(client.instant(f"{metric}{labels}[{_LOOKBACK_S}s]", at, "samples"), "samples")[1]


def spacing(series: Sequence[Series]) -> float | None:
    """Return the mean seconds between two samples of the same series, without gaps, to a tenth; None when no series has three.

    The kubelet samples containers at irregular times: a median would expect more samples than there can be.
    """
    gaps = [
        later - earlier
        for one in series
        if len(one.points) >= _SAMPLES_NEEDED
        for (earlier, _value), (later, _next) in zip(one.points, one.points[1:], strict=False)
    ]
    if not gaps:
        return None
    longest = 2 * median(gaps)
    return round(fmean(gap for gap in gaps if gap <= longest), 1)


def settled(seen_s: float | None, earlier_s: float | None) -> float | None:
    """Return the spacing that an earlier probe found, in seconds, unless the one seen now differs by more than a fifth of it; None if neither is known.

    Without this a second run would change the description of the cluster although nothing has changed there.
    """
    if not earlier_s or (seen_s and abs(seen_s - earlier_s) > _NOISE * earlier_s):
        return seen_s
    return earlier_s


def drop_unseen(components: Mapping[str, Any], optional: Sequence[str], seen: frozenset[str]) -> dict[str, Any]:
    """Return the components without those optional ones that Prometheus does not see."""
    return {name: selector for name, selector in components.items() if name in seen or name not in optional}


def window_problems(seconds: float, scrape_interval_s: float | None) -> list[str]:
    """Return why a window is too short for the spacing of samples (seconds; None: unknown): a mean needs two samples of each counter."""
    if scrape_interval_s is None or seconds >= MEAN_INTERVALS * scrape_interval_s:
        return []
    return [
        f"Window of {seconds:g} s: too short for samples every {scrape_interval_s:g} s, so every cell would lack its CPU figures. Make it at least "
        f"{MEAN_INTERVALS * scrape_interval_s:g} s (test_matrix_duration), scrape more often, or choose metrics_profile=none."
    ]


def window_warnings(seconds: float, scrape_interval_s: float | None) -> list[str]:
    """Return what a window lacks that is long enough for means: a peak needs a rate over four samples."""
    if scrape_interval_s is None or not MEAN_INTERVALS * scrape_interval_s <= seconds < PEAK_INTERVALS * scrape_interval_s:
        return []
    return [
        f"Window of {seconds:g} s: shorter than {PEAK_INTERVALS} samples, one every {scrape_interval_s:g} s, so CPU peaks will be missing. "
        f"Make it at least {PEAK_INTERVALS * scrape_interval_s:g} s (test_matrix_duration)."
    ]
