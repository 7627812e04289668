# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Up and down: the node is created, completed where something is missing, and removed completely."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import connect
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError, run
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess
from node import (
    certificates,
    container_runtime,
    control_groups,
    control_plane,
    dns,
    go_programs,
    kernel_settings,
    kubelet,
    layout,
    monitoring,
    namespaces,
    packages,
    storage,
)
from node.images import archive
from node.program import Program, until
from node.stages import Stages

MANIFESTS = Path(__file__).parent / "manifests"
NODE_READY_LIMIT_S = 180.0
IMAGES_LIMIT_S = 1200.0


def check_platform() -> None:
    """Raise ToolError where no node can be created."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        who = f"{platform.system()} as user {os.geteuid()}"
        remedy = "Run it as root (in a container: --privileged), or set KUBECONFIG to a cluster that exists"
        raise ToolError(f"Test cluster: needs root on Linux, but this is {who}. {remedy}.")


def programs(places: layout.Layout, binaries: dict[str, Path]) -> list[Program]:
    """Return the node's programs in the order of their start."""
    kubernetes = binaries["kubernetes"]
    return [
        container_runtime.containerd(places),
        control_plane.etcd(places, kubernetes),
        control_plane.api_server(places, kubernetes),
        control_plane.controller_manager(places, kubernetes),
        control_plane.scheduler(places, kubernetes),
        kubelet.kubelet(places, kubernetes),
        kubelet.kube_proxy(places, kubernetes),
        dns.coredns(places, binaries["coredns"]),
        storage.provisioner(places, binaries["local-path-provisioner"]),
    ]


def up(places: layout.Layout) -> Stages:
    """Create the node or what is missing of it, and return how long the stages took. Raises ToolError, ProcessError, ClusterError."""
    check_platform()
    stages = Stages()
    with stages.stage("Debian packages"):
        packages.ensure()
    images = ImageBuild()
    binaries: dict[str, Path] = {}
    for module in go_programs.ALL:
        with stages.stage(f"build {module.name}"):
            binaries[module.name] = go_programs.ensure(places.cache, module)
    monitors = monitoring.ensure(places.cache)
    with stages.stage("certificates and configuration"):
        prepare(places, binaries["kubernetes"])
    with stages.stage("control plane"):
        containerd, *others = programs(places, binaries)
        namespaces.ensure_network(places)
        namespaces.ensure_mounts(places, living(containerd, places))
        containerd.start(places)
        until("containerd", lambda: _served(places), 60)
        for program in others[:4]:
            program.start(places)
    cluster = connect({"kubeconfig": str(places.kubeconfig)})
    with stages.stage("node"):
        for manifest in (*yaml.safe_load_all((MANIFESTS / "bootstrap.yml").read_text(encoding="utf-8")), *storage.objects(places)):
            apply(cluster, manifest)
        for program in others[4:]:
            program.start(places)
        until(f"Node {layout.NODE}", lambda: node_state(cluster), NODE_READY_LIMIT_S)
    with stages.stage("monitoring"):
        for program in monitoring.programs(places, monitors):
            program.start(places)
    with stages.stage("wait for images"):
        entries = images.entries()
    with stages.stage("load images"):
        names = {name: archive.load(places, entry) for name, entry in entries.items()}
    places.images.write_text(json.dumps(names, indent=2) + "\n", encoding="utf-8")
    stages.write(places.stages)
    return stages


class ImageBuild:
    """Another process that builds the images at the same time: this is mostly downloading, and the Go compiler is not."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).parents[1] / "run.py"), "images"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def entries(self) -> dict[str, Path]:
        """Wait for its end and return the cache entries by name. Raises ToolError."""
        try:
            output, _none = self.process.communicate(timeout=IMAGES_LIMIT_S)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            raise ToolError(f"Images: not built within {IMAGES_LIMIT_S:g} s. Look at the machine's load and at the package mirror.") from error
        if self.process.returncode:
            raise ToolError("Images: not built; the reason is above. Correct it and run the same again.")
        return {name: Path(path) for name, path in json.loads(output).items()}


def prepare(places: layout.Layout, kubernetes: Path) -> None:
    """Write everything that the programs read. Raises ToolError."""
    for directory in (places.config, places.processes, places.volumes):
        directory.mkdir(parents=True, exist_ok=True)
    places.state.chmod(0o700)
    kernel_settings.save(places.state / "kernel_settings.json")
    created = namespaces.create_mount_points()
    if created:
        (places.state / "mount_points.json").write_text(json.dumps(created), encoding="utf-8")
    control_groups.ensure(places.control_group)
    certificates.ensure(places, kubernetes / "kubeadm", go_programs.KUBERNETES_VERSION)
    for module in (control_plane, container_runtime, kubelet, dns, storage, monitoring):
        module.write_configuration(places)


def living(program: Program, places: layout.Layout) -> int | None:
    """Return the process id of a program that runs, or None."""
    described = program.process(places).describe()
    return described["pid"] if described["running"] else None


def _served(places: layout.Layout) -> str:
    """Return an empty text once containerd answers on its socket."""
    completed = subprocess.run(["ctr", "--address", str(places.containerd_socket), "version"], capture_output=True, text=True, check=False)
    return "" if completed.returncode == 0 else completed.stderr.strip().splitlines()[-1]


def apply(cluster: Cluster, manifest: dict) -> None:
    """Apply a manifest, by server-side apply. Raises ClusterError."""
    group, _slash, version = manifest["apiVersion"].rpartition("/")
    base = f"/apis/{group}/{version}" if group else f"/api/{version}"
    namespace = manifest["metadata"].get("namespace")
    plural = manifest["kind"].lower() + ("es" if manifest["kind"].endswith("ss") else "s")
    path = f"{base}/{f'namespaces/{namespace}/' if namespace else ''}{plural}/{manifest['metadata']['name']}"
    query = {"fieldManager": "perfscale-node", "force": "true"}
    cluster.request("PATCH", path, manifest, query=query, content_type="application/apply-patch+yaml")


def node_state(cluster: Cluster) -> str:
    """Return an empty text once the node is ready and may be scheduled to, else what is missing."""
    try:
        node = cluster.get(f"/api/v1/nodes/{layout.NODE}", attempts=1)
    except ClusterError as error:
        return str(error)
    if node is None:
        return "the kubelet has not registered it"
    ready = next((item for item in node["status"].get("conditions", []) if item["type"] == "Ready"), {"status": "Unknown"})
    taints = [taint["key"] for taint in node["spec"].get("taints", [])]
    return "" if ready["status"] == "True" and not taints else f"Ready is {ready['status']}: {ready.get('message', '')} taints {taints}"


def down(places: layout.Layout) -> None:
    """Stop and remove everything. Raises ToolError, ProcessError."""
    check_platform()
    # containerd last: killing its shims before their containers would orphan these.
    names = [path.stem for path in places.processes.glob("*.json") if not path.name.endswith(".exit.json")]
    for name in sorted(names, key=lambda name: (name == "containerd", name != "kubelet", name)):
        if name == "containerd":
            control_groups.remove(places.control_group)
        # Killed: nothing that they would put in order outlives them, and an API server waits long for its watchers.
        DetachedProcess(name, str(places.processes)).stop(number=signal.SIGKILL)
    control_groups.remove(places.control_group)
    namespaces.remove_network(places)
    kernel_settings.restore(places.state / "kernel_settings.json")
    mount_points = places.state / "mount_points.json"
    created = json.loads(mount_points.read_text(encoding="utf-8")) if mount_points.exists() else []
    shutil.rmtree(places.state, ignore_errors=True)
    for path in reversed(created):
        with suppress(OSError):
            Path(path).rmdir()
    if places.state.exists():
        run(["rm", "-r", "--", str(places.state)], "State of the cluster", "Look which process or mount holds it")
