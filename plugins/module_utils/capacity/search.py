# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for the load at which a limit is crossed: which load to probe next, and the answer. A pure function of the finished probes.

Doubling from the first load brackets the crossing; then come probes on both sides of the estimate, where they tell most about it, until its interval is as
narrow as wanted or the search may not go on. So a search that was killed goes on where it stopped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.crossing import (
    SATURATED_NEEDED,
    Crossing,
    fit_crossing,
    lower,
    mean_size,
    saturation,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.settings import PROBES_MIN, Settings

HOLDS, FAILS, INVALID = "holds", "fails", "invalid"
INVALID_MAX = 2
"""How often a load is probed again after invalid probes of it."""
BACKLOG = "backlog"
KEEPS_UP = 0.94
"""Below this share of the offered requests a server does not keep up: three deviations of a window of 30 s."""
# Where the probes of the refinement lie, as logarithms of their ratio to the estimate. On both sides of a crossing that is fitted, as close as the curve is
# straight; beyond a saturation, where windows show how fast the server works, and below it.
NEAR_CROSSING = (0.08, -0.08, 0.05, -0.05, 0.1, -0.1, 0.02, -0.02)
BEYOND_SATURATION = (0.15, -0.08, 0.2, 0.12, -0.12, 0.17)
# Probes beyond this ratio to the estimate tell nothing about it: a server so far beyond its limit may even work slower.
NEAR = math.log(2.2)
UNFINISHED_MAX = 0.1
WELL_BELOW, SIZED_AT, SIZES_NEEDED = 0.93, 0.85, 2
SETTLED = 1.4
"""A server that saturates at this ratio to the estimate or later has a queue that settles within a window."""


@dataclass(frozen=True)
class Probe:
    """A finished probe as the search sees it.

    verdict: holds, fails or invalid, and why; values: the value of each objective by its name, None where it is unknown; missed: the objectives that it
    missed; rate_per_s: requests per second; requests: per journey started, journeys: that were started, unfinished: the share of them that the end of the
    window interrupted; is_open: whether arrivals are independent of answers; is_hopeless: it was stopped early, so that it has no whole window;
    is_leaking: a tenant was given objects of another one.
    """

    id: str
    load: float
    verdict: str
    why: str = ""
    values: Mapping[str, float | None] = field(default_factory=dict)
    missed: Sequence[str] = ()
    rate_per_s: float = 0.0
    requests: float = 0.0
    journeys: int = 0
    unfinished: float = 0.0
    is_open: bool = False
    is_hopeless: bool = False
    is_leaking: bool = False


@dataclass(frozen=True)
class Decision:
    """What to do: probe `load`, or end with `status`.

    status: answered; leak (a tenant was given objects of another one, which no figure makes up for);
    above (the highest allowed load holds), below (the lowest allowed load fails), invalid (probes stay invalid), exhausted (no more
    probes are allowed, without any crossing); `crossing` is the best estimate so far.
    """

    load: float | None
    status: str
    why: str
    crossing: Crossing | None = None
    breaks_by: str = ""

    @property
    def has_ended(self) -> bool:
        return self.load is None


def decide(settings: Settings, probes: Sequence[Probe]) -> Decision:
    """Return the next load, or the end of the search, from the probes in the order in which they finished."""
    leaking = next((probe for probe in probes if probe.is_leaking), None)
    if leaking:
        return Decision(None, "leak", leaking.why)
    repeated = _repeat(probes)
    if repeated is not None:
        return repeated
    judged = judge(probes)
    held = [probe.load for probe in judged if probe.verdict == HOLDS]
    failed = [probe.load for probe in judged if probe.verdict == FAILS]
    is_over = len(probes) >= settings.probes_max
    if not held or not failed:
        return _bracket(settings, held, failed, is_over)
    if not _is_reference_known(judged) and min(held) > settings.minimum and not is_over:
        return Decision(_rounded(settings, min(held) / 2), "bracket", "whether the server keeps up with the lowest load")
    found, breaks_by = estimate(settings, judged)
    near = [probe for probe in judged if found and abs(math.log(probe.load / found.load)) < NEAR]
    if found and found.width <= settings.resolution and len(near) >= PROBES_MIN and _is_saturation_known(judged, found):
        return Decision(None, "answered", "the interval is as narrow as wanted", found, breaks_by)
    if is_over:
        return Decision(None, "answered", f"{settings.probes_max} probes are allowed", found or _bracketed(judged), breaks_by)
    return _refine(settings, judged, found, breaks_by)


def _repeat(probes: Sequence[Probe]) -> Decision | None:
    """Return to probe a load again whose latest probe was invalid, or the end when that did not help; None after a probe that can be judged."""
    last = probes[-1] if probes else None
    if last is None or last.verdict != INVALID:
        return None
    tries = 0
    for probe in reversed(probes):
        if probe.verdict != INVALID or probe.load != last.load:
            break
        tries += 1
    if tries > INVALID_MAX:
        return Decision(None, "invalid", last.why)
    return Decision(last.load, "repeat", "the probe before was invalid")


def _bracket(settings: Settings, held: Sequence[float], failed: Sequence[float], is_over: bool) -> Decision:
    """Return the next load while all probes hold, or all fail."""
    if failed:
        load = _rounded(settings, min(failed) / 2)
        if min(failed) <= settings.minimum:
            return Decision(None, "below", f"{min(failed):g} already fails")
    else:
        load = _rounded(settings, max(held) * 2 if held else settings.start)
        if held and max(held) >= settings.maximum:
            return Decision(None, "above", f"{max(held):g} still holds")
    if is_over:
        return Decision(None, "exhausted", f"{settings.probes_max} probes are allowed")
    return Decision(load, "bracket", "to find a load that fails" if not failed else "to find a load that holds")


def _refine(settings: Settings, judged: Sequence[Probe], found: Crossing | None, breaks_by: str) -> Decision:
    """Return the next load on one side of the estimate; the sides take turns."""
    held, failed = ends(judged)
    is_fitted = breaks_by in settings.limits or breaks_by == BACKLOG
    if found is None and not is_fitted:
        if held < failed <= held * (1 + settings.resolution):
            return Decision(None, "answered", "the loads that hold and fail are as close as wanted", _bracketed(judged), breaks_by)
        return Decision(_rounded(settings, math.sqrt(held * failed)), "refine", "between the loads that hold and fail", None, breaks_by)
    at = found.load if found else math.sqrt(held * failed)
    if found is None and abs(math.log(failed / held)) > 2 * NEAR_CROSSING[0]:
        return Decision(_rounded(settings, at), "refine", "between the loads that hold and fail", None, breaks_by)
    if saturated(judged) and len(_sizes(judged)) < SIZES_NEEDED:
        lowest = min(probe.load for probe in judged if probe.verdict == FAILS)
        return Decision(_rounded(settings, min(at, lowest) * SIZED_AT), "refine", "what a journey asks of a server that keeps up", found, breaks_by)
    is_beyond = breaks_by == BACKLOG or (found is not None and not _is_saturation_known(judged, found))
    offsets = BEYOND_SATURATION if is_beyond else NEAR_CROSSING
    load = _rounded(settings, at * math.exp(offsets[len(judged) % len(offsets)]))
    return Decision(load, "refine", "near the estimate", found, breaks_by)


def estimate(settings: Settings, judged: Sequence[Probe]) -> tuple[Crossing | None, str]:
    """Return the first crossing of any limit, and the name of what breaks there: an objective, or `backlog`. No crossing while the first one is not known."""
    held, failed = ends(judged)
    found: list[tuple[Crossing, str]] = []
    unknown: list[tuple[float, str]] = []
    for name, limit in settings.limits.items():
        points = [(probe.load, value) for probe in judged if (value := probe.values.get(name)) and not probe.is_hopeless]
        above = [load for load, value in points if value > limit]
        crossing = fit_crossing([load for load, _value in points], [value for _load, value in points], limit, math.sqrt(held * failed)) if above else None
        if crossing:
            found.append((crossing, name))
        elif above:
            unknown.append((min(above), name))
    overloaded = saturated(judged)
    if overloaded:
        first = min(probe.load for probe in overloaded)
        crossing = saturation([probe.rate_per_s for probe in overloaded if math.log(probe.load / first) < NEAR], _sizes(judged))
        if crossing:
            found.append((crossing, BACKLOG))
        else:
            unknown.append((first, BACKLOG))
    found.sort(key=lambda pair: pair[0].load)
    combined: Crossing | None = None
    for crossing, _name in found:
        combined = lower(combined, crossing)
    # Errors and other objectives that are not fitted break where a probe missed them.
    fitted = {*settings.limits, BACKLOG}
    unknown += [(probe.load, name) for probe in judged for name in probe.missed if name not in fitted]
    earlier = [(load, name) for load, name in unknown if combined is None or load < combined.low]
    if earlier:
        return None, min(earlier)[1]
    return combined, found[0][1] if found else ""


def judge(probes: Sequence[Probe]) -> list[Probe]:
    """Return the probes that can be judged; one whose server did not keep up with what was offered fails, by its backlog.

    What was offered is the load times the requests per journey of probes that kept up.
    """
    usable = [probe for probe in probes if probe.verdict != INVALID]
    reference = _reference(usable)
    if not reference:
        return usable
    mean = mean_size([(probe.requests, probe.journeys) for probe in reference])
    return [
        replace(probe, verdict=FAILS, missed=(*probe.missed, BACKLOG), why=probe.why or _backlog(probe, mean)) if _is_saturated(probe, mean) else probe
        for probe in usable
    ]


def _backlog(probe: Probe, size: float) -> str:
    return f"the server did {100 * probe.rate_per_s / (probe.load * size):.0f} % of the requests of the journeys that came"


def _is_saturated(probe: Probe, size: float) -> bool:
    is_measured = probe.is_open and not probe.is_hopeless
    return is_measured and probe.rate_per_s < KEEPS_UP * probe.load * size


def saturated(judged: Sequence[Probe]) -> list[Probe]:
    """Return the judged probes whose server did not keep up with an open load."""
    return [probe for probe in judged if BACKLOG in probe.missed and not probe.is_hopeless]


def _reference(usable: Sequence[Probe]) -> list[Probe]:
    """Return the open probes from the lowest load up whose journeys had as many requests as those below: of a slow server fewer fit into the window."""
    found: list[Probe] = []
    for probe in sorted((probe for probe in usable if probe.is_open and not probe.is_hopeless and probe.requests), key=lambda probe: probe.load):
        if found and probe.requests < KEEPS_UP * mean_size([(other.requests, other.journeys) for other in found]):
            break
        found.append(probe)
    return found


def _is_reference_known(judged: Sequence[Probe]) -> bool:
    """Return whether a server is seen to keep up with the lowest load: nearly all journeys ended, or twice the load has as many requests per journey."""
    reference = _reference(judged)
    return not reference or reference[0].unfinished <= UNFINISHED_MAX or reference[-1].load > 1.5 * reference[0].load


def _sizes(judged: Sequence[Probe]) -> list[tuple[float, int]]:
    """Return (requests per journey, journeys) of the probes that held well below the first that failed: a journey of a slow server is cut by the window."""
    first = min((probe.load for probe in judged if probe.verdict == FAILS), default=math.inf)
    held = [probe for probe in judged if probe.is_open and probe.verdict == HOLDS and probe.requests]
    return [(probe.requests, probe.journeys) for probe in held if probe.load < WELL_BELOW * first]


def _is_saturation_known(judged: Sequence[Probe], found: Crossing) -> bool:
    """Return whether there are enough probes beyond saturation, or none near the estimate: windows close to saturation end before the queue has settled."""
    overloaded = [probe for probe in saturated(judged) if probe.load < SETTLED * found.load]
    return not overloaded or len(overloaded) >= SATURATED_NEEDED


def ends(judged: Sequence[Probe]) -> tuple[float, float]:
    """Return the highest load up to which every probe held and the lowest from which on every probe failed; where they overlap, the two nearest.

    Either may be missing, when the lowest probe failed or the highest held; then the nearest probe of that kind stands for it.
    """
    held = [probe.load for probe in judged if probe.verdict == HOLDS]
    failed = [probe.load for probe in judged if probe.verdict == FAILS]
    below = [load for load in held if load < min(failed)]
    above = [load for load in failed if load > max(held)]
    return max(below, default=min(held)), min(above, default=max(failed))


def shown(probes: Sequence[Probe]) -> tuple[float | None, float | None]:
    """Return (highest load up to which every probe held, lowest load from which on every probe failed), None where there is none."""
    held = [probe.load for probe in probes if probe.verdict == HOLDS]
    failed = [probe.load for probe in probes if probe.verdict == FAILS]
    below = [load for load in held if not failed or load < min(failed)]
    above = [load for load in failed if not held or load > max(held)]
    return max(below, default=None), min(above, default=None)


def _bracketed(judged: Sequence[Probe]) -> Crossing:
    low, high = sorted(ends(judged))
    return Crossing(math.sqrt(low * high), low, high, len(judged), "bracket")


def _rounded(settings: Settings, load: float) -> float:
    """Return an allowed load: within the bounds, whole where the axis is, else with three significant digits."""
    bounded = min(max(load, settings.minimum), settings.maximum)
    return float(max(1, round(bounded))) if settings.is_whole else float(f"{bounded:.3g}")
