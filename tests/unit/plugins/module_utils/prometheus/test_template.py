# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables in queries."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.template import TemplateError, names_in, promql_duration, render


@pytest.mark.parametrize("query", ["x[{{.elapsed}}:]", "x[{{ .elapsed }}:]", "x[{{- .elapsed -}}:]"])
def test_kube_burners_notation_is_rendered(query):
    assert render(query, {"elapsed": "20s"}, "m") == "x[20s:]"
    assert names_in(query) == {"elapsed"}


def test_braces_of_selectors_stay():
    assert render('a{b="{{.c}}",d=~"x{2}"}', {"c": "1"}, "m") == 'a{b="1",d=~"x{2}"}'


@pytest.mark.parametrize("query", ["{{.other}}", "{{ if .elapsed }}", '{{ env "HOME" }}', "{{}}"])
def test_what_cannot_be_rendered_is_named_with_what_can(query):
    with pytest.raises(TemplateError, match=r"Metric m: its query uses .* one of \{\{\.elapsed\}\}, \{\{\.step\}\}\."):
        render(query, {"step": "1s", "elapsed": "20s"}, "m")


@pytest.mark.parametrize(("seconds", "text"), [(20, "20s"), (20.5, "20500ms"), (3600.0, "3600s"), (0.25, "250ms"), (25.2287, "25229ms")])
def test_durations_are_promql(seconds, text):
    assert promql_duration(seconds) == text
