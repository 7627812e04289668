# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selectors: one query for all components, and its series sorted out again."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.selector import (
    SelectorError,
    component_of,
    cut_down,
    matchers,
    normalize,
    outside,
)

PODS = {
    "mlflow": {"namespace": "a", "pod": "mlflow-.*", "container": "mlflow"},
    "router": {"namespace": "b|c", "pod": "router-.*"},
}


def test_a_text_selects_by_the_profiles_label():
    assert normalize({"mlflow": "mlflow", "pg": {"pod": "x"}}, "groupname") == {"mlflow": {"groupname": "mlflow"}, "pg": {"pod": "x"}}


@pytest.mark.parametrize(
    ("selector", "label", "problem"),
    [
        pytest.param("mlflow", None, "selects nothing", id="no label"),
        pytest.param({}, "x", "selects nothing", id="empty"),
        pytest.param({"pod": ""}, "x", "selects nothing", id="empty pattern"),
        pytest.param(["a"], "x", "selects nothing", id="list"),
        pytest.param({"pod": "("}, "x", "not a regular expression", id="wrong pattern"),
    ],
)
def test_bad_selectors_name_their_component(selector, label, problem):
    with pytest.raises(SelectorError, match=f"Component mlflow: .*{problem}"):
        normalize({"mlflow": selector}, label)


def test_matchers_are_the_union_of_shared_labels():
    assert matchers(PODS) == 'namespace=~"a|(b|c)",pod=~"mlflow-.*|router-.*"'
    assert matchers({"one": {"pod": r'a\.b"'}}) == r'pod=~"a\\.b\""'
    assert matchers({}) == ""


def test_a_literal_that_all_share_is_matched_by_equality():
    assert matchers({"mlflow": {"namespace": "a-1", "pod": "m.*"}, "pg": {"namespace": "a-1", "pod": "p.*"}}) == 'namespace="a-1",pod=~"m.*|p.*"'


def test_selectors_are_cut_down_to_the_labels_of_a_query():
    assert cut_down(PODS, ["container", "pod"]) == {"mlflow": {"pod": "mlflow-.*", "container": "mlflow"}, "router": {"pod": "router-.*"}}
    assert cut_down(PODS, ["container"]) == {"mlflow": {"container": "mlflow"}}


def test_components_outside_of_a_namespace_are_named():
    assert outside({**PODS, "text": "x", "anywhere": {"pod": "x"}}, "b") == ["mlflow"]


@pytest.mark.parametrize(
    ("labels", "component"),
    [
        pytest.param({"namespace": "a", "pod": "mlflow-1", "container": "mlflow"}, "mlflow", id="whole selector"),
        pytest.param({"namespace": "c", "pod": "router-9", "container": "x"}, "router", id="alternative"),
        pytest.param({"namespace": "a", "pod": "router-9"}, None, id="other namespace"),
        pytest.param({"namespace": "a", "pod": "x-mlflow-1", "container": "mlflow"}, None, id="anchored"),
        pytest.param({"namespace": "a", "pod": "mlflow-1"}, None, id="label aggregated away"),
    ],
)
def test_series_are_sorted_by_their_labels(labels, component):
    assert component_of(labels, PODS) == component
