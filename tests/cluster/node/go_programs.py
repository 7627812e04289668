# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's programs, built from the Go module proxy into the cache, once for each set of versions."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError, run

SOURCES = Path(__file__).parent / "go"
KUBERNETES_VERSION = "v1.34.4"
# Two busy cores take five minutes; four times that is a limit, not an expectation.
BUILD_LIMIT_S = 2400.0


@dataclass(frozen=True)
class Module:
    """Packages that one call builds in a folder below `go`; `renamed` has the programs to which Go gives another name."""

    name: str
    folder: str
    packages: tuple[str, ...] = (".",)
    ldflags: str = ""
    renamed: tuple[tuple[str, str], ...] = ()


COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubeadm", "kubectl", "kubelet")
KUBERNETES = Module(
    "kubernetes",
    "kubernetes",
    (*(f"k8s.io/kubernetes/cmd/{name}" for name in COMPONENTS), "go.etcd.io/etcd/server/v3"),
    # Without it the programs call themselves v0.0.0-master, and kubeadm rejects that.
    f"-X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}",
    (("server", "etcd"),),
)
# The same libraries, so little is left to compile; a call of its own, since both spellings of logrus cannot be in one.
LOCAL_PATH = Module("local-path-provisioner", "kubernetes", ("github.com/rancher/local-path-provisioner",))
COREDNS = Module("coredns", "coredns")
PAUSE = Module("pause", "pause")
ALL = (KUBERNETES, LOCAL_PATH, COREDNS, PAUSE)


def ensure(directory: Path, module: Module) -> Path:
    """Return the directory that holds a module's programs. Raises ToolError."""
    source = SOURCES / module.folder
    key = cache.key_of(*(path.read_text(encoding="utf-8") for path in sorted(source.iterdir())), *module.packages, module.ldflags, _go_version())

    def build(target: Path) -> None:
        flags = ["-trimpath", f"-ldflags=-s -w {module.ldflags}"]
        environment = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-buildvcs=false"}
        remedy = "Check the connection to the Go module proxy, and that there are 6 GB of disk"
        run(["go", "build", *flags, "-o", f"{target}/", *module.packages], f"Go module {module.name}", remedy, source, env=environment, limit_s=BUILD_LIMIT_S)
        for built, wanted in module.renamed:
            (target / built).rename(target / wanted)

    return cache.entry(directory, f"node-{module.name}-{key}", build)[0]


def _go_version() -> str:
    if not shutil.which("go"):
        raise ToolError("Go: not on PATH. Install Go 1.24 or newer (https://go.dev/dl), which builds the programs of the test cluster.")
    return run(["go", "env", "GOVERSION"], "Go", "Install a working Go").strip()
