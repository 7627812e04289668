# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.text_input import as_dict, as_list


@pytest.mark.parametrize(
    ("given", "elements", "expected"),
    [
        pytest.param(["a", 1], "str", ["a", 1], id="list"),
        pytest.param(("a",), "str", ["a"], id="tuple"),
        pytest.param("a", "str", ["a"], id="one"),
        pytest.param("/srv/a, ./b ,", "str", ["/srv/a", "./b"], id="commas"),
        pytest.param('["a", "b,c"]', "str", ["a", "b,c"], id="json"),
        pytest.param("- a\n- b\n", "str", ["a", "b"], id="yaml-of-a-survey"),
        pytest.param("", "str", [], id="unanswered"),
        pytest.param(None, "str", [], id="none"),
        pytest.param("[]", "dict", [], id="empty-json"),
        pytest.param("", "dict", [], id="unanswered-dictionaries"),
        pytest.param('[{"kind": "pvc"}]', "dict", [{"kind": "pvc"}], id="dictionaries"),
        pytest.param("- kind: pvc", "dict", [{"kind": "pvc"}], id="one-line-of-yaml"),
    ],
)
def test_lists(given: Any, elements: str, expected: list[Any]) -> None:
    assert as_list(given, "x", elements) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"a": 1}, {"a": 1}, id="dictionary"),
        pytest.param('{"a": 1}', {"a": 1}, id="json"),
        pytest.param("a: 1\nb: {c: d}", {"a": 1, "b": {"c": "d"}}, id="yaml"),
        pytest.param("", {}, id="unanswered"),
        pytest.param(None, {}, id="none"),
        pytest.param("{}", {}, id="empty"),
    ],
)
def test_dictionaries(given: Any, expected: dict[str, Any]) -> None:
    assert as_dict(given, "x") == expected


@pytest.mark.parametrize(
    ("convert", "given", "sentence"),
    [
        pytest.param(lambda value: as_list(value, "report_sources"), {"a": 1}, "Input report_sources: not a list. Give it as -e report_sources=a", id="dict"),
        pytest.param(lambda value: as_list(value, "x"), 3, "Input x: not a list.", id="number"),
        pytest.param(lambda value: as_list(value, "x"), "[a", "Input x: neither YAML nor JSON (", id="broken"),
        pytest.param(lambda value: as_list(value, "x", "dict"), "a,b", "Input x: not a list of dictionaries. Give it as -e '{\"x\": [{…}]}', or", id="texts"),
        pytest.param(lambda value: as_list(value, "x", "dict"), ["a"], "Input x: not a list of dictionaries.", id="list-of-texts"),
        pytest.param(lambda value: as_dict(value, "x"), "a=1", "Input x: not a dictionary. Give it as -e '{\"x\": {…}}', or", id="text"),
        pytest.param(lambda value: as_dict(value, "x"), ["a"], "Input x: not a dictionary.", id="list"),
    ],
)
def test_anything_else_is_a_sentence(convert: Any, given: Any, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        convert(given)
    assert str(caught.value).startswith(sentence)
