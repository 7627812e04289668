# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository as the repository tests see it: its files, its archive, its installed form."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE, NAME = "perfscale", "mlflow"
TOOLS = Path(sys.executable).parent


def tool(name: str) -> str:
    """Return the path of a command of the environment that runs the tests."""
    return str(TOOLS / name)


def environment(**changes: str) -> dict[str, str]:
    """Return this process' environment with the tools of its Python first on PATH."""
    return {**os.environ, "PATH": f"{TOOLS}{os.pathsep}{os.environ.get('PATH', os.defpath)}", **changes}


def run(*argv: str | Path, cwd: Path, env: dict[str, str] | None = None, timeout_s: float = 600.0) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return it with its output; raise TimeoutExpired after timeout_s seconds."""
    return subprocess.run([str(arg) for arg in argv], cwd=cwd, env=env or environment(), capture_output=True, text=True, timeout=timeout_s, check=False)


def copy_dependencies(directory: Path) -> None:
    """Copy the collections that ours imports below a directory: tools that look into .venv see files which git ignores."""
    bundled = find_spec("ansible_collections.kubernetes.core")
    if bundled is None:
        raise RuntimeError("Collection kubernetes.core: is not in this Python's environment. Run `make venv`.")
    beside = directory / "ansible_collections" / "kubernetes" / "core"
    shutil.copytree(Path((bundled.submodule_search_locations or [])[0]), beside, dirs_exist_ok=True)


def files(*patterns: str) -> list[Path]:
    """Return the files that belong to the repository (tracked, or new and not ignored) and match one of the glob patterns."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *(f":(glob){pattern}" for pattern in patterns), cwd=ROOT)
    if listed.returncode:
        raise RuntimeError(f"git ls-files: {listed.stderr.strip()}. Run the repository tests in a git checkout.")
    paths = (ROOT / name for name in sorted(set(listed.stdout.split("\0"))) if name)
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def relative(path: Path) -> str:
    """Return a path as people write it: from the top of the repository."""
    return path.relative_to(ROOT).as_posix()


def load_yaml(path: Path) -> Any:
    """Return the content of a YAML file, an empty dictionary when it is empty."""
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}


def text_of(path: Path) -> str:
    """Return the text of a file, empty for a binary one."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def tasks() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every task of roles, playbooks and playbook tests, with the place where it stands."""
    for path in files("roles/*/tasks/**/*.yml", "roles/*/handlers/*.yml", "playbooks/**/*.yml", "tests/local/**/*.yml"):
        for task in _flatten(yaml.safe_load(text_of(path))):
            yield f"{relative(path)}: {task.get('name', '(unnamed)')}", task


def _flatten(node: Any) -> Iterator[dict[str, Any]]:
    for item in node if isinstance(node, list) else []:
        if isinstance(item, dict):
            yield item
            for key in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
                yield from _flatten(item.get(key))


def build(directory: Path, source: Path = ROOT) -> Path:
    """Build the archive of a checkout into a directory and return its path."""
    built = run(tool("ansible-galaxy"), "collection", "build", "--force", "--output-path", directory, source, cwd=directory)
    archives = sorted(directory.glob(f"{NAMESPACE}-{NAME}-*.tar.gz"))
    if built.returncode or len(archives) != 1:
        raise RuntimeError(f"ansible-galaxy collection build: rc {built.returncode}.\n{built.stdout}{built.stderr}")
    return archives[0]


def unpack(archive: Path, collections: Path) -> Path:
    """Unpack an archive as a collection under `<collections>/ansible_collections` and return the collection's directory."""
    target = collections / "ansible_collections" / NAMESPACE / NAME
    target.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    return target
