# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test cluster: `up` creates it, `down` removes it, `enter COMMAND…` runs a command inside its network, `test` runs the tests there.

`up` and `down` may be repeated. `test` creates the cluster anew, passes all further arguments to pytest, and removes the cluster in any case;
with PERFSCALE_KEEP_CLUSTER=1 it uses one that is there and keeps it. With KUBECONFIG set, `test` uses that cluster and creates none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SELF = (sys.executable, __file__)
# One after another: side by side what may share the cluster, then what uses the same operators, then what stops all of it for a while.
ROUNDS = (("-m", "not alone and not second_round", "-n", "3"), ("-m", "second_round", "-n", "2"), ("-m", "alone"))
NO_TESTS = 5
sys.path[:0] = [str(ROOT / ".collections"), str(Path(__file__).parent)]

import run_settings
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import ProcessError
from node import go_programs, layout, lifecycle, namespaces
from node.images import catalogue
from node.stages import Stages


def up(_arguments: list[str]) -> int:
    places = layout.default()
    lifecycle.up(places)
    print(f"The cluster is up. Inside it: {sys.executable} {Path(__file__).relative_to(ROOT)} enter kubectl get pods -A")
    print(f"The whole suite in it, with the fake of MLflow's operator: {run_settings.suite_command(run_settings.write_variables(places))}")
    return 0


def down(_arguments: list[str]) -> int:
    lifecycle.down(layout.default())
    return 0


def enter(arguments: list[str]) -> int:
    """Become a command inside the node's network, with its kubeconfig."""
    places = layout.default()
    namespaces.enter(places)
    kubeconfig = str(places.kubeconfig)
    os.environ.update(KUBECONFIG=kubeconfig, K8S_AUTH_KUBECONFIG=kubeconfig, PERFSCALE_NODE="1")
    command = arguments or [os.environ.get("SHELL", "sh")]
    os.execvp(command[0], command)  # noqa: S606


def programs(_arguments: list[str]) -> int:
    """Build what Go compiles, which `up` then finds; continuous integration does it beside other tests."""
    places = layout.default()
    for module in go_programs.ALL:
        go_programs.ensure(places.cache, module)
    return 0


def images(_arguments: list[str]) -> int:
    """Build the images and print where they are; `up` runs this beside the Go compiler."""
    entries = catalogue.build(layout.default().cache, Stages())
    print(json.dumps({name: str(path) for name, path in entries.items()}))
    return 0


def test(arguments: list[str]) -> int:
    """Run pytest inside the node's network, on the node or on the cluster of KUBECONFIG, and return its exit code."""
    pytest = (sys.executable, "-m", "pytest", *arguments)
    paths = any((ROOT / argument.split("::")[0]).exists() for argument in arguments)
    steps = [pytest] if paths else [(*pytest, *options, "tests/cluster") for options in ROUNDS]
    if os.environ.get("KUBECONFIG"):
        return _worst(_run(*step) for step in steps)
    is_kept = os.environ.get("PERFSCALE_KEEP_CLUSTER") == "1"
    if not is_kept:
        # The state of a cluster outlives its processes: what an aborted run left in it would fail the tests.
        _run(*SELF, "down")
    try:
        # Each in a process of its own: up and enter change the namespaces that they run in.
        return _run(*SELF, "up") or _worst(_run(*SELF, "enter", *step) for step in steps)
    finally:
        if not is_kept:
            _run(*SELF, "down")


def _worst(codes: Iterable[int]) -> int:
    """Return the highest exit code; a step in which the arguments left no test counts only if all are like that."""
    return max((code for code in codes if code != NO_TESTS), default=NO_TESTS)


def _run(*command: str) -> int:
    return subprocess.run(command, cwd=ROOT, check=False).returncode


COMMANDS = {"up": up, "down": down, "enter": enter, "programs": programs, "images": images, "test": test}


def main(arguments: list[str]) -> int:
    """Run one of the commands and return the exit code."""
    if not arguments or arguments[0] not in COMMANDS:
        print(f"Command {' '.join(arguments[:1]) or '(none)'}: unknown. Choose one of {', '.join(COMMANDS)}.", file=sys.stderr)
        return 2
    try:
        return COMMANDS[arguments[0]](arguments[1:])
    except (ToolError, ProcessError, ClusterError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
