# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the kernel that the kubelet changes for the whole machine; `down` puts them back."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

# https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/kubelet/cm/container_manager_linux.go (setupKernelTunables)
NAMES = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes")
ROOT = Path("/proc/sys")


def save(file: Path) -> None:
    """Write the present values, unless they were written before."""
    if not file.exists():
        values = {name: (ROOT / name).read_text(encoding="ascii").strip() for name in NAMES if (ROOT / name).exists()}
        file.write_text(json.dumps(values), encoding="utf-8")


def restore(file: Path) -> None:
    """Restore the saved values; those that the machine does not let us set are left."""
    if file.exists():
        for name, value in json.loads(file.read_text(encoding="utf-8")).items():
            with suppress(OSError):
                (ROOT / name).write_text(value, encoding="ascii")
