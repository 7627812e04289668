# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invalid settings end a script with one sentence, before anything is sent."""

from __future__ import annotations

import pytest

from fakes.k6_configs import load_config, prefill_config
from programs.k6 import LOAD, PREFILL, run_k6

URL = "http://127.0.0.1:9"
SCRIPT_EXCEPTION = 107


def _with(**changes):
    return load_config(URL, **changes)


INVALID = [
    pytest.param(LOAD, _with(profile={"kind": "spike"}), "Use one of: closed, open.", id="unknown profile"),
    pytest.param(LOAD, _with(profile={"kind": "closed", "concurrency": 0}), "Use a whole number from 1.", id="concurrency 0"),
    pytest.param(LOAD, _with(mlflow={"url": ""}), "Use http://", id="no URL"),
    pytest.param(LOAD, _with(mlflow={"url": URL, "token_file": "/nowhere"}), "Use a readable file, or null.", id="no token file"),
    pytest.param(LOAD, _with(mlflow={"url": URL, "token_file": None, "token_map_file": "/nowhere"}), "mlflow.token_map_file /nowhere: not readable",
                 id="no token map"),
    pytest.param(LOAD, _with(window_s=0), "Use a number above 0.", id="no window"),
    pytest.param(LOAD, _with(shards=0), r'shards: \"0\" is not allowed. Use a whole number from 1.', id="no shard"),
    pytest.param(LOAD, _with(start_at=-1), r'start_at: \"-1\" is not allowed. Use a number above 0.', id="start before the epoch"),
    pytest.param(LOAD, _with(vus={"training": 1}), r'vus.browsing: \"undefined\" is not allowed.', id="VUs of one journey"),
    pytest.param(PREFILL, prefill_config(URL, concurrency=0), "Use a whole number from 1.", id="prefill concurrency 0"),
    pytest.param(PREFILL, prefill_config(URL, tenants={"prefix": "t", "numbers": []}), "no tenant. Use", id="prefill no tenant"),
]


@pytest.mark.parametrize(("script", "config", "words"), INVALID)
def test_configuration_is_rejected(k6, tmp_path, script, config, words):
    ended = run_k6(k6, script, tmp_path, config=config, timeout=30)
    assert ended.code == SCRIPT_EXCEPTION
    assert words in ended.log
    assert len(ended.log.strip().splitlines()) == 1


def test_a_tenant_without_a_token_is_named(k6, tmp_path):
    tokens = tmp_path / "tokens.json"
    tokens.write_text('{"tenant-1": "canary-token", "tenant-2": "canary-token"}')
    ended = run_k6(k6, LOAD, tmp_path / "run", config=_with(mlflow={"url": URL, "token_file": None, "token_map_file": str(tokens)}), timeout=30)
    assert ended.code == SCRIPT_EXCEPTION
    assert "mlflow.token_map_file: no token for tenant-3. Add one for every tenant of the load." in ended.log
    assert "canary-token" not in ended.log


def test_a_damaged_token_map_is_not_quoted(any_k6, tmp_path):
    tokens = tmp_path / "tokens.json"
    tokens.write_text("canary-token")
    ended = run_k6(any_k6, LOAD, tmp_path / "run", config=_with(mlflow={"url": URL, "token_file": None, "token_map_file": str(tokens)}), timeout=30)
    assert ended.code == SCRIPT_EXCEPTION
    assert "invalid JSON" in ended.log
    assert "canary" not in ended.log.replace(str(tmp_path), "")


@pytest.mark.parametrize(("env", "words"), [
    pytest.param({}, "MLFLOW_URL", id="no URL"),
    pytest.param({"MLFLOW_URL": URL, "DURATION": "ten"}, "DURATION", id="duration"),
    pytest.param({"MLFLOW_URL": URL, "CONCURRENCY": "0"}, "CONCURRENCY", id="concurrency 0"),
])
def test_environment_is_rejected(any_k6, tmp_path, env, words):
    ended = run_k6(any_k6, LOAD, tmp_path, env=env, timeout=30)
    assert ended.code == SCRIPT_EXCEPTION
    assert words in ended.log
