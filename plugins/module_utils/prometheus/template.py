# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables in queries: the `{{.elapsed}}` of kube-burner's metrics profiles, and ours in the same notation."""

from __future__ import annotations

import re
from collections.abc import Mapping

# kube-burner renders profiles with Go's text/template; a field access is all that its published profiles use.
_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_FIELD = re.compile(r"\.([A-Za-z_]\w*)")


class TemplateError(ValueError):
    """A query with something between braces that cannot be rendered; the text is one sentence."""


def names_in(query: str) -> set[str]:
    """Returns the names of the variables that a query uses."""
    return {match.group(1) for match in map(_FIELD.fullmatch, _ACTION.findall(query)) if match}


def render(query: str, variables: Mapping[str, str], metric: str) -> str:
    """Returns the query with every `{{.name}}` replaced. Raises TemplateError for an unknown name and for other template code."""

    def value_of(action: re.Match[str]) -> str:
        field = _FIELD.fullmatch(action.group(1))
        if field and field.group(1) in variables:
            return str(variables[field.group(1)])
        known = ", ".join("{{." + name + "}}" for name in sorted(variables))
        raise TemplateError(f"Metric {metric}: its query uses {action.group(0)}, which has no value. Set this variable, or use one of {known}.")

    return _ACTION.sub(value_of, query)


def promql_duration(seconds: float) -> str:
    """Returns a PromQL duration, `20s` or, when there is a fraction, `20500ms`."""
    milliseconds = max(1, round(seconds * 1000))
    whole, rest = divmod(milliseconds, 1000)
    return f"{milliseconds}ms" if rest else f"{whole}s"
