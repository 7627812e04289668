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
    """A folder below `go`; `packages` are built in one call, `renamed` says what Go calls otherwise."""

    name: str
    packages: tuple[str, ...]
    ldflags: str = ""
    renamed: tuple[tuple[str, str], ...] = ()


KUBERNETES = Module(
    "kubernetes",
    ("tool",),
    # Without it the programs call themselves v0.0.0-master, and kubeadm refuses that.
    f"-X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}",
    (("server", "etcd"),),
)
COREDNS = Module("coredns", (".",))
LOCAL_PATH = Module("local-path-provisioner", ("tool",))
PAUSE = Module("pause", (".",))
ALL = (KUBERNETES, COREDNS, LOCAL_PATH, PAUSE)


def ensure(directory: Path, module: Module) -> Path:
    """Returns the directory that holds a module's programs. Raises ToolError."""
    source = SOURCES / module.name
    key = cache.key_of(*(path.read_text(encoding="utf-8") for path in sorted(source.iterdir())), module.ldflags, _go_version())

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
