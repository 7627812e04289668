# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of sinks: complete and typed, or every problem at once."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sinks import KINDS, SettingsError, checked, create_sinks

S3 = {"kind": "s3", "bucket": "b"}


@pytest.fixture(autouse=True)
def fixture_environment(monkeypatch):
    monkeypatch.setenv("PERFSCALE_S3_ACCESS_KEY", "access")
    monkeypatch.setenv("PERFSCALE_S3_SECRET_KEY", "secret")


def test_settings_are_completed_and_typed():
    found = checked(
        [
            {"kind": "directory", "path": "/mnt/results", "create": "yes", "prefix": ""},
            {**S3, "name": "store", "path_style": False, "timeout_s": "30"},
        ]
    )
    assert found[0] == {"name": "directory", "kind": "directory", "path": "/mnt/results", "prefix": "", "create": True}
    assert (found[1]["name"], found[1]["path_style"], found[1]["timeout_s"], found[1]["region"]) == ("store", False, 30, "us-east-1")


@pytest.mark.parametrize(
    ("sinks", "words"),
    [
        pytest.param([{"kind": "ftp"}], f"Sink ftp: unknown kind 'ftp'. Allowed: {', '.join(KINDS)}.", id="kind"),
        pytest.param([{}], "Sink number 1: invalid name", id="nothing"),
        pytest.param([{"kind": "directory"}], "Sink directory: option path missing. A sink of kind directory needs it.", id="missing"),
        pytest.param([{"kind": "directory", "path": ""}], "option path missing", id="empty text"),
        pytest.param([{"kind": "directory", "path": "/x", "bucket": "b"}], "unknown option bucket. Allowed for directory: path, prefix", id="unknown"),
        pytest.param([{"kind": "directory", "path": ["/x"]}], "option path is a list or a mapping, not a text", id="list"),
        pytest.param([{"kind": "directory", "path": "/x", "create": "maybe"}], "option create is 'maybe', neither true nor false", id="bool"),
        pytest.param([{**S3, "timeout_s": "soon"}], "option timeout_s is 'soon', not a whole number above 0", id="number"),
        pytest.param([{**S3, "timeout_s": 0}], "not a whole number above 0", id="zero"),
        pytest.param([{"kind": "directory", "path": "/x", "prefix": "a/../b"}], "option prefix 'a/../b' leaves the sink", id="prefix"),
        pytest.param([{"kind": "http", "url": "ftp://x"}], "option url is not a base URL", id="scheme"),
        pytest.param([{"kind": "http", "url": "http://x:port"}], "option url is not a base URL", id="port"),
        pytest.param([{"kind": "http", "url": "https://x/?a=b"}], "option url is not a base URL", id="query"),
        pytest.param([{"kind": "http", "url": "https://u:p@x/"}], "option url holds credentials. Remove them", id="credentials"),
        pytest.param([{**S3, "secret_key_env": "UNSET_HERE"}], "the environment variable UNSET_HERE is not set", id="unset secret"),
        pytest.param([{**S3, "secret_key_env": "hunter2 hunter2"}], "option secret_key_env is not the name of an environment variable", id="secret itself"),
        pytest.param([S3, S3], "Sink s3: duplicate name", id="twice"),
        pytest.param([{**S3, "name": "a b"}], "Sink a b: invalid name", id="name"),
    ],
)
def test_what_cannot_work_is_an_error(sinks, words):
    with pytest.raises(SettingsError) as raised:
        checked(sinks)
    assert words in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert "u:p" not in str(raised.value)


def test_every_problem_is_named_at_once():
    with pytest.raises(SettingsError) as raised:
        checked([{"kind": "ftp"}, {"kind": "directory"}, {**S3, "bucket": ""}])
    assert [word for word in ("ftp", "path", "bucket") if word in str(raised.value)] == ["ftp", "path", "bucket"]


def test_sinks_are_created(tmp_path):
    made = create_sinks([{"kind": "directory", "path": str(tmp_path)}], {})
    assert [(sink.name, sink.kind) for sink in made] == [("directory", "directory")]
