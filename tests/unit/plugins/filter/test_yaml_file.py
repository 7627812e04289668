# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import codecs

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.filter.yaml_file import FilterModule, yaml_file

TEXT = "name: klein – mittel\r\nrules: [{a: 1}]\r\n"


@pytest.mark.parametrize("data", [TEXT.encode(), codecs.BOM_UTF8 + TEXT.encode(), TEXT.encode("utf-16")], ids=["utf-8", "byte order mark", "utf-16"])
def test_a_file_is_read_as_editors_save_it(tmp_path, data):
    (tmp_path / "mine.yml").write_bytes(data)
    assert yaml_file(str(tmp_path / "mine.yml"))["name"] == "klein – mittel"
    assert yaml_file(str(tmp_path / "mine.yml"), "Rules", "rules") == [{"a": 1}]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(None, "not readable (No such file or directory). Correct the path.", id="absent"),
        pytest.param("name: größer".encode("latin-1"), "no text in UTF-8 or UTF-16. Save it as UTF-8.", id="latin-1"),
        pytest.param(b"name: a\0b", "not YAML (special characters are not allowed). Correct the file.", id="binary"),
        pytest.param(b"rules: [1", "not YAML (expected ',' or ']', but got '<stream end>', line 1). Correct the file.", id="no YAML"),
        pytest.param(b"rules: [{{ x }}]", "not YAML (found unhashable key, line 1). Correct the file.", id="template"),
        pytest.param(b"", "empty or not a dictionary. Write key: value lines.", id="empty"),
        pytest.param(b"- rules", "empty or not a dictionary. Write key: value lines.", id="list"),
        pytest.param(b"Just a text.", "empty or not a dictionary. Write key: value lines.", id="text"),
        pytest.param(b"other: []", "has no list of dictionaries `rules`. Write it as in files/.", id="no key"),
        pytest.param(b"rules: {a: 1}", "has no list of dictionaries `rules`. Write it as in files/.", id="no list"),
        pytest.param(b"rules: [a]", "has no list of dictionaries `rules`. Write it as in files/.", id="no dictionaries"),
    ],
)
def test_every_problem_is_a_sentence(tmp_path, data, problem):
    path = tmp_path / "mine.yml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(AnsibleFilterError) as caught:
        yaml_file(str(path), "Validity file", "rules")
    assert str(caught.value).startswith(f"Validity file {path}: {problem}")


def test_the_filter_has_its_name():
    assert FilterModule().filters() == {"yaml_file": yaml_file}
