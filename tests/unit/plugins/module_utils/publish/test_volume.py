# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volume's script, run by the shell of this machine, and the sink; tests/cluster/test_publish.py runs both with a real pod."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import CommandResult, Container
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import volume
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.restoration import restore
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import SinkError
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.volume import VolumeSink, archives, sums_in

SCHEMAS = Path(__file__).resolve().parents[5] / "files" / "schemas"
SCRIPT = SCHEMAS.parent / "publish" / "volume.sh"
SETTINGS = {"namespace": "perf", "claim": "results", "prefix": "runs", "create": False, "size": "1Gi", "storage_class": "", "image": "busybox", "timeout_s": 5}


class Shell:
    """Runs the pod's commands here, with the volume in a directory; `spoil` may change one response."""

    def __init__(self, directory):
        self.directory = directory
        self.commands = []
        self.spoil = lambda command, response: response

    def __call__(self, cluster, container, argv, stdin=b"", timeout_s=30.0):
        here = [word.replace(volume.MOUNT, str(self.directory), 1) if at == 7 else word for at, word in enumerate(argv)]
        self.commands.append(argv[6])
        problem = subprocess.run(here, input=stdin, capture_output=True, check=False, timeout=30)
        return self.spoil(argv[6], CommandResult(problem.returncode, problem.stdout, problem.stderr.decode()))


@pytest.fixture(name="shell")
def fixture_shell(tmp_path, monkeypatch):
    shell = Shell(tmp_path / "mounted")
    shell.directory.mkdir()
    monkeypatch.setattr(volume, "run", shell)
    monkeypatch.setattr(volume, "PAUSE_S", 0)
    monkeypatch.setattr(volume, "ensure_pvc", lambda *arguments: None)
    monkeypatch.setattr(volume, "ensure_pod", lambda *arguments: Container("perf", "pod", "volume"))
    return shell


@pytest.fixture(name="store")
def fixture_store(shell):
    return VolumeSink("volume", None, "run-1", {"image": "k6", "script": SCRIPT}, SETTINGS)


@pytest.fixture(name="large")
def fixture_large(run, monkeypatch):
    """A file that travels in pieces, here of a mebibyte."""
    for limit in ("TOGETHER", "PIECE"):
        monkeypatch.setattr(volume, limit, volume.MEBIBYTE)
    (run / "cells/t1-c4-r1/samples.csv.gz").write_bytes(bytes(range(256)) * 10000)


def test_a_run_goes_and_comes_back(run, large, store, shell, send, tmp_path):
    sent = send(store)
    assert (sent["problems"], sent["sinks"][0]["verified"]) == ([], {"read back": 7})
    assert sent["sinks"][0]["location"] == "pvc perf/results: runs/run-1"
    assert not (shell.directory / "runs/.arriving").exists()
    assert send(store)["sinks"][0]["sent"] == 0
    assert restore("latest", tmp_path / "back", [store], SCHEMAS)["restored"] == 7
    samples = "run-1/cells/t1-c4-r1/samples.csv.gz"
    assert (tmp_path / "back" / samples).read_bytes() == (run.parent / samples).read_bytes()


def test_small_files_travel_together(run, store, shell, send):
    send(store)
    assert shell.commands.count("unpack") == 3  # the files, the manifest, latest


def test_what_is_not_there_is_none(store, tmp_path):
    assert store.get("run-1/nothing") is None
    assert not store.fetch("run-1/nothing", tmp_path / "x")


@pytest.mark.parametrize("command", ["unpack", "append", "sums", "settle", "read", "size"])
def test_a_command_with_an_incomplete_response_is_repeated(run, large, store, shell, send, tmp_path, command):
    left = [1]

    def cut(sent, response):
        if sent == command and left:
            left.pop()
            return CommandResult(None, response.stdout[:-3], "")
        return response

    shell.spoil = cut
    # The manifest of the first publication is read in the second.
    assert (send(store)["problems"], send(store)["problems"]) == ([], [])
    assert restore("run-1", tmp_path / "back", [store], SCHEMAS)["restored"] == 7
    assert not left


@pytest.mark.parametrize(
    ("code", "problem", "words"),
    [
        pytest.param(1, "tar: write error: No space left on device", "volume full. Free space on it, or enlarge it", id="full"),
        pytest.param(1, "mkdir: Permission denied", "volume not writable (mkdir: Permission denied). Give publish_pod_fs_group", id="denied"),
        pytest.param(1, "odd", "incomplete response to unpack, 4 times (odd). Check the pod", id="odd"),
        pytest.param(None, "", "incomplete response to unpack, 4 times (connection lost)", id="cut"),
    ],
)
def test_what_prevents_writing_to_the_volume_is_reported(run, store, shell, send, code, problem, words):
    shell.spoil = lambda sent, response: CommandResult(code, b"", problem) if sent == "unpack" else response
    assert words in send(store)["problems"][0]
    assert not (shell.directory / "runs/run-1").exists()


def test_damage_on_the_way_is_noticed_before_anything_is_in_place(run, store, shell, send):
    shell.spoil = lambda sent, response: CommandResult(0, response.stdout.replace(b"a", b"b"), "") if sent == "sums" else response
    assert "checksum in the volume differs from what was sent" in send(store)["problems"][0]
    assert not (shell.directory / "runs/run-1").exists()


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (500, 4)])
def test_trouble_of_the_cluster_is_named(store, monkeypatch, status, tries):
    sent = []

    def fail(*arguments, **options):
        sent.append(1)
        raise ClusterError("Pod perf/pod: trouble.", status)

    monkeypatch.setattr(volume, "run", fail)
    with pytest.raises(SinkError, match=r"Pod perf/pod: trouble\."):
        store.get("latest")
    assert len(sent) == tries


def test_a_pod_that_does_not_start_is_named(store, monkeypatch):
    def fail(*arguments):
        raise ClusterError("Pod perf/pod: did not start.")

    monkeypatch.setattr(volume, "ensure_pod", fail)
    with pytest.raises(SinkError, match="did not start"):
        store.open()


def test_the_pod_goes_only_for_good(store, monkeypatch):
    gone = []
    monkeypatch.setattr(volume, "delete_pod", lambda cluster, namespace, claim, timeout_s: gone.append((namespace, claim)))
    store.close()
    assert gone == []
    store.close(for_good=True)
    assert gone == [("perf", "results")]


def test_a_pod_that_remains_is_reported(store, monkeypatch):
    def fail(*arguments):
        raise ClusterError("Pod perf/pod: is still there.")

    monkeypatch.setattr(volume, "delete_pod", fail)
    with pytest.raises(SinkError, match="is still there"):
        store.close(for_good=True)


def test_archives_are_small():
    assert [len(archive) < 30000 for archive in archives({str(number): b"x" * 4000 for number in range(10)}, limit=12000)] == [True] * 5
    assert list(archives({})) == []


def test_sums_are_read():
    assert sums_in(b"abc  ./run-1/run.json\ndef  ./latest\nend\n") == {"run-1/run.json": "abc", "latest": "def"}


def test_the_pod_is_restricted_and_has_no_token():
    pod = volume.volume_pod("perf", "results", {"image": "busybox", "run_as_user": "1000", "fs_group": "2000", "image_pull_secrets": ["pull"]})
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, "runAsUser": 1000, "fsGroup": 2000}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert len(volume.pod_name("x" * 80)) <= 63
