# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which time series belong to which component.

A component's selector is a text (a regular expression for the label that the profile names) or a dict
{label: regular expression}. Regular expressions are anchored at both ends, as in PromQL.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

_LITERAL = re.compile(r"[\w-]+")


class SelectorError(ValueError):
    """An invalid selector; the text is one sentence."""


def normalize(components: Mapping[str, Any], label: str | None) -> dict[str, dict[str, str]]:
    """Return {component: {label: regular expression}}. Raises SelectorError when one is malformed or lacks a label."""
    normal: dict[str, dict[str, str]] = {}
    for name, given in components.items():
        selector = {label: given} if isinstance(given, str) and label else given
        if not isinstance(selector, Mapping) or not selector or not all(isinstance(value, str) and value for value in selector.values()):
            raise SelectorError(
                f"Component {name}: selector {given!r} selects nothing. "
                "Give a dict of label and regular expression, or a text together with the profile's component_label."
            )
        normal[name] = {str(key): value for key, value in selector.items()}
        for key, value in normal[name].items():
            try:
                re.compile(value)
            except re.error as error:
                raise SelectorError(f"Component {name}: {key} {value!r} not a regular expression ({error}). Correct it.") from error
    return normal


def cut_down(selectors: Mapping[str, Mapping[str, str]], labels: Collection[str]) -> dict[str, dict[str, str]]:
    """Return the selectors with those labels only that a query's series have; a component without any of them is left out."""
    cut = {name: {label: pattern for label, pattern in selector.items() if label in labels} for name, selector in selectors.items()}
    return {name: selector for name, selector in cut.items() if selector}


def outside(components: Mapping[str, Any], namespace: str) -> list[str]:
    """Return the components that do not live in a namespace, as far as their selectors contain the namespace."""
    return [
        name for name, selector in components.items() if isinstance(selector, Mapping) and not re.fullmatch(selector.get("namespace", namespace), namespace)
    ]


def matchers(selectors: Mapping[str, Mapping[str, str]]) -> str:
    """Return PromQL label matchers that match every component's series, for use inside braces.

    One query serves all components: the union per label, taken from the labels that all selectors have.
    Other series may match too; `component_of` filters them.
    """
    labels = [set(selector) for selector in selectors.values()]
    shared = sorted(set.intersection(*labels)) if labels else []
    return ",".join(_matcher(label, (selector[label] for selector in selectors.values())) for label in shared)


def _matcher(label: str, patterns: Iterable[str]) -> str:
    unique = list(dict.fromkeys(patterns))
    if len(unique) == 1 and _LITERAL.fullmatch(unique[0]):
        # Equality: OpenShift's tenancy port rejects any other matcher for the namespace.
        return f'{label}="{unique[0]}"'
    text = unique[0] if len(unique) == 1 else "|".join(f"({pattern})" if "|" in pattern else pattern for pattern in unique)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'{label}=~"{escaped}"'


def component_of(labels: Mapping[str, str], selectors: Mapping[str, Mapping[str, str]]) -> str | None:
    """Return the first component whose whole selector the labels satisfy.

    A label that the query aggregated away satisfies nothing: which component a sum belongs to is not known.
    """
    for name, selector in selectors.items():
        if all(label in labels and re.fullmatch(pattern, labels[label]) for label, pattern in selector.items()):
            return name
    return None
