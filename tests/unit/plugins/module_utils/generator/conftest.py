# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake pod for the tests of this directory."""

from __future__ import annotations

import uuid

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_files, pod_manifests, pod_rpc
from fakes.fake_generator_pod import FakeGeneratorPod


@pytest.fixture(name="pod")
def fixture_pod(tmp_path, monkeypatch):
    """A pod that runs; the program in it has a name of its own, since others may run a k6 on this machine."""
    program = f"k6-{uuid.uuid4().hex[:8]}"
    fake = FakeGeneratorPod(tmp_path / "pod", program)
    monkeypatch.setattr(pod_manifests, "PROGRAM", program)
    monkeypatch.setattr(pod_manifests, "SCRIPTS", str(fake.directory / "scripts"))
    monkeypatch.setattr(pod_manifests, "RESULTS", str(fake.directory / "results"))
    monkeypatch.setattr(pod_manifests, "SECRETS", str(fake.directory / "access"))
    monkeypatch.setattr(pod_rpc, "SCRIPT", fake.script)
    monkeypatch.setattr(pod_rpc, "run", fake.run)
    for module in (pod_rpc, pod_files):
        monkeypatch.setattr(module, "PAUSE_S", 0.01)
    return fake
