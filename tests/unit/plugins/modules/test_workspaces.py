# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils" / "mlflow"))

from stand_in_mlflow import StandInMlflow


@pytest.fixture
def server():
    with StandInMlflow() as stand_in:
        yield stand_in


def test_creates_and_then_changes_nothing(run_module, server):
    first = run_module("workspaces", {"url": server.url, "count": 3})
    assert first["changed"] and first["workspaces"]["created"] == ["tenant-1", "tenant-2", "tenant-3"]
    second = run_module("workspaces", {"url": server.url, "count": 3})
    assert not second["changed"] and second["workspaces"]["existing"] == ["tenant-1", "tenant-2", "tenant-3"]
    assert set(second["workspaces"]) == {"requested", "created", "existing", "extra", "ready", "seconds"} == set(first["workspaces"])


def test_check_mode_tells_and_does_nothing(run_module, server):
    told = run_module("workspaces", {"url": server.url, "names": ["load-a"]}, check=True)
    assert told["changed"] and told["workspaces"]["created"] == ["load-a"] and "load-a" not in server.workspaces


def test_namespaces_are_seen_and_never_created(run_module, server):
    server.workspaces |= {"tenant-1": "", "tenant-2": "", "other": ""}
    seen = run_module("workspaces", {"url": server.url, "count": 2, "backend": "namespace"})
    assert not seen["changed"] and seen["workspaces"]["existing"] == ["tenant-1", "tenant-2"] and seen["workspaces"]["extra"] == ["other"]
    assert seen["workspaces"]["ready"] and set(seen["workspaces"]) == {"requested", "created", "existing", "extra", "ready", "seconds"}
    missing = run_module("workspaces", {"url": server.url, "count": 3, "backend": "namespace", "timeout": 0.1})
    assert missing["failed"] and "Workspace tenant-3: not ready after 0.1 s" in missing["msg"] and "rights there" in missing["msg"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param({}, "one of the following is required: names, count", id="neither"),
        pytest.param({"names": ["t1"], "count": 1}, "mutually exclusive: names|count", id="both"),
        pytest.param({"count": 0}, "Tenants: none", id="none"),
        pytest.param({"names": ["default"]}, "Workspace 'default': is not a name MLflow accepts", id="reserved"),
        pytest.param({"count": 1, "backend": "sql"}, "value of backend must be one of: api, namespace", id="backend"),
        pytest.param({"count": 1, "parallelism": 0}, "Option parallelism 0: is out of range", id="parallelism"),
        pytest.param({"count": 1, "url": "nowhere"}, "MLflow URL 'nowhere': is not a base URL", id="url"),
        pytest.param({"count": 1, "url": "http://127.0.0.1:1"}, "is not reachable (connection refused)", id="down"),
        pytest.param({"count": 1, "token_file": "/nowhere/token"}, "Token file /nowhere/token: cannot be read", id="token-file"),
    ],
)
def test_refuses_with_one_sentence(run_module, server, monkeypatch, arguments, sentence):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    said = run_module("workspaces", {"url": server.url, **arguments})
    assert said["failed"] and sentence in said["msg"] and "Traceback" not in said["msg"]


def test_says_that_urllib3_is_missing(run_module, server, monkeypatch):
    monkeypatch.setattr("ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client.urllib3", None)
    assert "urllib3" in run_module("workspaces", {"url": server.url, "count": 1})["msg"]
