# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from fakes.fake_mlflow import FakeMlflow


@pytest.fixture
def server():
    with FakeMlflow() as running:
        yield running


def test_creates_and_then_changes_nothing(run_module, server):
    first = run_module("workspaces", {"url": server.url, "count": 3})
    assert first["changed"]
    assert first["workspaces"]["created"] == ["tenant-1", "tenant-2", "tenant-3"]
    second = run_module("workspaces", {"url": server.url, "count": 3})
    assert not second["changed"]
    assert second["workspaces"]["existing"] == ["tenant-1", "tenant-2", "tenant-3"]
    assert set(second["workspaces"]) == {"requested", "created", "existing", "missing", "extra", "ready", "seconds"} == set(first["workspaces"])


def test_check_mode_changes_nothing(run_module, server):
    result = run_module("workspaces", {"url": server.url, "names": ["load-a"]}, check=True)
    assert result["changed"]
    assert result["workspaces"]["created"] == result["workspaces"]["missing"] == ["load-a"]
    assert "load-a" not in server.workspaces


def test_namespaces_are_seen_and_never_created(run_module, server):
    server.workspaces |= {"tenant-1": "", "tenant-2": "", "other": ""}
    seen = run_module("workspaces", {"url": server.url, "count": 2, "backend": "namespace"})
    assert not seen["changed"]
    assert seen["workspaces"]["existing"] == ["tenant-1", "tenant-2"]
    assert seen["workspaces"]["extra"] == ["other"]
    assert seen["workspaces"]["ready"]
    assert set(seen["workspaces"]) == {"requested", "created", "existing", "missing", "extra", "ready", "seconds"}
    missing = run_module("workspaces", {"url": server.url, "count": 3, "backend": "namespace", "timeout": 0.1})
    assert missing["failed"]
    assert "Workspace tenant-3: not ready after 0.1 s" in missing["msg"]
    assert "permissions there" in missing["msg"]


@pytest.mark.parametrize("backend", ["api", "namespace"])
def test_check_mode_names_the_tenants_that_are_gone_by_one_request(run_module, server, backend):
    server.workspaces |= {"tenant-1": "another description", "tenant-3": ""}
    result = run_module("workspaces", {"url": server.url, "count": 3, "backend": backend, "adopt": True}, check=True)
    assert result["workspaces"]["missing"] == ["tenant-2"]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param({}, "one of the following is required: names, count", id="neither"),
        pytest.param({"names": ["t1"], "count": 1}, "mutually exclusive: names|count", id="both"),
        pytest.param({"count": 0}, "Tenants: none", id="none"),
        pytest.param({"names": ["default"]}, "Workspace 'default': not a name that MLflow accepts", id="reserved"),
        pytest.param({"count": 1, "backend": "sql"}, "value of backend must be one of: api, namespace", id="backend"),
        pytest.param({"count": 1, "parallelism": 0}, "Option parallelism 0: out of range", id="parallelism"),
        pytest.param({"count": 1, "url": "nowhere"}, "MLflow URL 'nowhere': not a base URL", id="url"),
        pytest.param({"count": 1, "url": "http://127.0.0.1:1"}, "not reachable (connection refused)", id="down"),
        pytest.param({"count": 1, "token_file": "/nowhere/token"}, "Token file /nowhere/token: not readable", id="token-file"),
    ],
)
def test_errors_are_one_sentence(run_module, server, monkeypatch, arguments, sentence):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    result = run_module("workspaces", {"url": server.url, **arguments})
    assert result["failed"]
    assert sentence in result["msg"]
    assert "Traceback" not in result["msg"]


def test_a_missing_library_is_named(run_module, server, monkeypatch):
    monkeypatch.setattr("ansible_collections.perfscale.mlflow.plugins.modules.workspaces.URLLIB3_ERROR", "trace")
    assert "urllib3" in run_module("workspaces", {"url": server.url, "count": 1})["msg"]
