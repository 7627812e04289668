# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module k6_load by its arguments: with a real process, and with a fake backend."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import GeneratorLostError, MissingLibraryError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.modules import k6_load
from fakes.k6_configs import load_config

SCHEMAS = str(Path(__file__).resolve().parents[4] / "files" / "schemas")
STATE = '{"attempt": 1, "directory": "d", "started": 1.0, "handle": {"pod_uid": "u"}}'
ATTEMPT = {"n": 1, "directory": "d", "handle": {}, "started": 1.0, "attached": False}
GENERATOR = {"kind": "pod", "namespace": "bench", "pod": "p"}


class Backend:
    """A fake that raises or returns what the test sets, and records its calls."""

    def __init__(self, result):
        self.result = result
        self.calls = []

    def __getattr__(self, name):
        def call(*arguments):
            self.calls.append((name, *arguments))
            if isinstance(self.result, Exception):
                raise self.result
            return self.result

        return call


@pytest.fixture(name="fake")
def fixture_fake(monkeypatch):
    """Put a fake backend in the place of every kind."""

    def fake(result):
        backend = Backend(result)
        monkeypatch.setattr(k6_load, "create_backend", lambda _kind, _params: backend)
        return backend

    return fake


@pytest.fixture(name="directory")
def fixture_directory(tmp_path):
    """The directory of a cell whose load was started."""
    directory = tmp_path / "cells" / "t1-c1-r1"
    directory.mkdir(parents=True)
    (directory / "state.json").write_text(STATE, encoding="utf-8")
    return directory


def started(directory, **changes):
    arguments = {"directory": str(directory), "generator": GENERATOR, "scripts": "/scripts", "config": load_config("http://m"), "schema_directory": SCHEMAS}
    return {**arguments, **changes}


def test_a_process_starts_is_attached_to_and_stops(run_module, tmp_path):
    fake_k6 = tmp_path / "fake-k6"
    fake_k6.write_text(f"#!{shutil.which('sh')}\nexec {shutil.which('sleep')} 60\n", encoding="utf-8")
    fake_k6.chmod(0o755)
    arguments = started(tmp_path / "cell", generator={"kind": "process", "binary": str(fake_k6)})
    stopping = {"state": "stopped", "directory": str(tmp_path / "cell"), "generator": {"kind": "process"}}
    try:
        first, second = run_module("k6_load", arguments), run_module("k6_load", arguments)
        assert (first["changed"], second["changed"]) == (True, False)
        assert first["attempt"]["handle"] == second["attempt"]["handle"]
    finally:
        stopped = run_module("k6_load", stopping)
    assert stopped["changed"]
    assert not run_module("k6_load", stopping)["changed"]


def test_check_mode_starts_nothing(run_module, tmp_path, fake):
    backend = fake(ATTEMPT)
    assert run_module("k6_load", started(tmp_path / "cell"), check=True)["attempt"] == {}
    assert not (tmp_path / "cell").exists()
    assert backend.calls == []


def test_a_missing_binary_is_named(run_module, tmp_path):
    answer = run_module("k6_load", started(tmp_path / "cell", generator={"kind": "process", "binary": str(tmp_path / "none")}))
    assert answer["failed"]
    assert "Process k6: not started" in answer["msg"]


@pytest.mark.parametrize("workload", ["load", "prefill"])
def test_a_configuration_of_another_workload_is_named(run_module, tmp_path, workload):
    config = {**load_config("http://m"), "cell_id": 5}
    answer = run_module("k6_load", started(tmp_path / "cell", generator={"kind": "process", "binary": "/bin/false"}, config=config, workload=workload))
    assert answer["failed"]
    assert f"{workload}_config" in answer["msg"]


@pytest.mark.parametrize("missing", ["scripts", "schema_directory", "generator"])
def test_a_missing_option_is_named(run_module, tmp_path, missing):
    answer = run_module("k6_load", {name: value for name, value in started(tmp_path).items() if name != missing})
    assert answer["failed"]
    assert missing in answer["msg"]


def test_a_missing_library_is_named(run_module, tmp_path, monkeypatch):
    def create_backend(_kind, _params):
        raise MissingLibraryError("kubernetes", "the trace")

    monkeypatch.setattr(k6_load, "create_backend", create_backend)
    answer = run_module("k6_load", started(tmp_path))
    assert answer["failed"]
    assert "Failed to import the required Python library (kubernetes)" in answer["msg"]


def test_a_load_is_started_and_attached_to(run_module, tmp_path, fake):
    backend = fake(ATTEMPT)
    answer = run_module("k6_load", started(tmp_path, workload="prefill", plan_digest="abc", reuse_finished=False, ca_file="/ca.crt"))
    assert answer["changed"]
    assert answer["attempt"] == ATTEMPT
    (_name, load), = backend.calls
    assert (load.directory, load.generator, load.script_name) == (tmp_path, GENERATOR, "mlflow_prefill_tenants.js")
    assert (load.plan_digest, load.is_finished_reusable, load.ca_file) == ("abc", False, "/ca.crt")
    fake({**ATTEMPT, "attached": True})
    assert not run_module("k6_load", started(tmp_path))["changed"]


def test_another_script_may_run(run_module, tmp_path, fake):
    backend = fake(ATTEMPT)
    run_module("k6_load", started(tmp_path, script="mine.js"))
    assert backend.calls[0][1].script_name == "mine.js"


def test_files_are_fetched(run_module, directory, fake):
    backend = fake({"files": ["k6.log"], "bytes": 1, "seconds": 0.1})
    answer = run_module("k6_load", {"state": "fetched", "directory": str(directory), "generator": GENERATOR, "raw": False})
    assert answer["changed"]
    assert answer["fetched"]["files"] == ["k6.log"]
    (name, attempt, with_raw), = backend.calls
    assert (name, attempt["handle"], with_raw) == ("fetch", {"pod_uid": "u"}, False)


def test_a_load_that_was_never_started_is_named(run_module, tmp_path, fake):
    fake({})
    answer = run_module("k6_load", {"state": "fetched", "directory": str(tmp_path), "generator": GENERATOR})
    assert answer["failed"]
    assert "no state.json" in answer["msg"]


def test_every_load_of_a_run_is_stopped(run_module, tmp_path, directory, fake):
    backend = fake(True)
    answer = run_module("k6_load", {"state": "stopped", "directory": str(tmp_path), "generator": GENERATOR})
    assert answer["changed"]
    assert answer["attempt"] == {}
    (name, attempt), = backend.calls
    assert (name, attempt["directory"]) == ("stop", str(directory / "attempts" / "1"))


@pytest.mark.parametrize(
    ("error", "retry"), [pytest.param(GeneratorLostError("Pod a/b: lost."), True, id="lost"), pytest.param(ClusterError("Pod a/b: busy."), False, id="other")]
)
def test_an_error_has_whether_another_generator_may_be_used(run_module, tmp_path, fake, error, retry):
    fake(error)
    answer = run_module("k6_load", started(tmp_path))
    assert answer["failed"]
    assert (answer["msg"], answer["retry"]) == (str(error), retry)
