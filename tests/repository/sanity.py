# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test sanity on the tree that the build creates; needs nothing from the Internet but the Python package index.

ansible-test keeps its environments under HOME. It gets a private one in the user's cache directory, so that they are created once
and nothing of the user is touched. There it finds a pip bootstrap script, which it would otherwise download.
Further options go to ansible-test: `python tests/repository/sanity.py --test pylint`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from checkout import build, copy_dependencies, environment, run, tool, unpack

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
TIME_LIMIT_S = 1800.0
# What ansible-test runs in place of the get-pip.py of an ansible.com file host: pip as bundled with this Python, then the pinned one.
BOOTSTRAP = '''\
import ensurepip
import os
import subprocess
import sys

ensurepip.bootstrap(default_pip=True)
os.environ.pop("PIP_CONFIG_FILE", None)  # ensurepip points it at nothing
arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *arguments]))
'''


def cache_directory() -> Path:
    """Return the directory of ansible-test's environments, which later runs reuse."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "perfscale.mlflow" / "ansible-test"


def prepare_home(home: Path) -> None:
    """Write the bootstrap script and the user's pip settings, which ansible-test reads from HOME only."""
    versions = {"24.2"} | _pip_versions()
    scripts = home / ".ansible" / "test" / "cache"
    scripts.mkdir(parents=True, exist_ok=True)
    for version in versions:
        (scripts / f"get_pip_{version.replace('.', '_')}.py").write_text(BOOTSTRAP, encoding="utf-8")
    settings = {name[4:].lower().replace("_", "-"): value for name, value in os.environ.items() if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"}
    for name in ("HTTPS_PROXY", "https_proxy"):
        if os.environ.get(name):
            settings.setdefault("proxy", os.environ[name])
    own = [Path(os.environ.get("PIP_CONFIG_FILE", "")), Path.home() / ".config" / "pip" / "pip.conf", Path.home() / ".pip" / "pip.conf"]
    text = next((path.read_text(encoding="utf-8") for path in own if path.is_file()), "")
    text += "\n[global]\n" + "".join(f"{name} = {value}\n" for name, value in sorted(settings.items()))
    target = home / ".config" / "pip" / "pip.conf"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_merged(text), encoding="utf-8")
    target.chmod(0o600)


def _pip_versions() -> set[str]:
    """Return the pip versions this ansible-test pins."""
    code = "from ansible_test._internal.python_requirements import get_venv_packages as f; import types; "
    code += f"print(f(types.SimpleNamespace(version='{PYTHON}'))['pip'])"
    result = run(sys.executable, "-c", code, cwd=Path.cwd())
    return set(result.stdout.split()) if result.returncode == 0 else set()


def _merged(text: str) -> str:
    """Return pip settings with each section once; of a duplicate setting the later one counts."""
    sections: dict[str, dict[str, str]] = {}
    current = sections.setdefault("[global]", {})
    for line in text.splitlines():
        if line.startswith("["):
            current = sections.setdefault(line.strip(), {})
        elif "=" in line and not line.startswith(("#", ";")):
            name, value = line.split("=", 1)
            current[name.strip()] = value.strip()
    return "".join(f"{section}\n" + "".join(f"{name} = {value}\n" for name, value in body.items()) for section, body in sections.items())


def prepare_tree(archive: Path, directory: Path) -> Path:
    """Unpack the archive as a git work tree, with the collections it imports beside it; return the collection's directory."""
    tree = unpack(archive, directory)
    copy_dependencies(directory)
    for argv in (["init", "--quiet"], ["add", "--all", "--force"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", "built"]):
        run("git", *argv, cwd=tree)
    return tree


def sanity(archive: Path, *options: str) -> int:
    """Run the sanity tests on an archive with their output on stdout; return ansible-test's exit code."""
    home = cache_directory()
    prepare_home(home)
    with tempfile.TemporaryDirectory(prefix="perfscale-sanity-") as directory:
        tree = prepare_tree(archive, Path(directory))
        command = [tool("ansible-test"), "sanity", "--local", "--python", PYTHON, "--color", "no", *options]
        env = environment(HOME=str(home))
        env.pop("ANSIBLE_COLLECTIONS_PATH", None)
        return subprocess.run(command, cwd=tree, env=env, timeout=TIME_LIMIT_S, check=False, stderr=subprocess.STDOUT).returncode


def main() -> int:
    """Run the sanity tests on the archive given, or on one built now; return ansible-test's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path, help="the collection's archive; without it one is built")
    known, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="perfscale-archive-") as place:
        return sanity(known.archive or build(Path(place)), *options)


if __name__ == "__main__":
    sys.exit(main())
