# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backend a kind of generator means, and which script a workload."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import backend as backends
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import KINDS, WORKLOADS, Backend, Load, create_backend

ROOT = Path(__file__).resolve().parents[5]
CONTRACT = [name for name, _method in inspect.getmembers(Backend, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize(("kind", "name"), [("process", "ProcessBackend"), ("pod", "PodBackend"), ("k6_operator", "K6OperatorBackend")])
def test_a_kind_has_its_backend(kind, name):
    assert type(create_backend(kind, {})).__name__ == name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", CONTRACT)
def test_a_backend_has_the_methods_of_the_contract(kind, method):
    found = inspect.signature(getattr(type(create_backend(kind, {})), method))
    assert list(found.parameters) == list(inspect.signature(getattr(Backend, method)).parameters)


def test_every_kind_is_one_of_target_json():
    schema = json.loads((ROOT / "files" / "schemas" / "target.json").read_text(encoding="utf-8"))
    assert set(KINDS) <= set(schema["properties"]["generator"]["properties"]["kind"]["enum"])


@pytest.mark.parametrize("kind", ["magic", None])
def test_an_unknown_kind_is_an_error(kind):
    with pytest.raises(ValueError, match=rf"Generator of kind {kind}: unknown kind\. Allowed are process, pod and k6_operator\."):
        create_backend(kind, {})


def test_a_missing_library_is_an_error(monkeypatch):
    monkeypatch.setattr(backends, "IMPORT_ERROR", "the trace")
    with pytest.raises(backends.MissingLibraryError) as caught:
        create_backend("process", {})
    assert (caught.value.libraries, caught.value.trace) == ("jsonschema and psutil", "the trace")


def test_a_process_needs_no_client_of_a_cluster():
    """It costs half a second of CPU, beside the load."""
    area = "ansible_collections.perfscale.mlflow.plugins.module_utils.generator"
    code = f"import sys\nfrom {area}.backend import create_backend\ncreate_backend('process', {{}})\nassert 'kubernetes' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={"PYTHONPATH": str(ROOT / ".collections")}, check=True, timeout=60)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_workload_has_its_script_and_schema(workload):
    load = Load(directory=Path("/d"), generator={}, config={}, scripts_dir="", schema_dir="", workload=workload)
    assert (ROOT / "files" / "k6" / load.script_name).is_file()
    assert (ROOT / "files" / "schemas" / f"{WORKLOADS[workload].config_schema}.json").is_file()
