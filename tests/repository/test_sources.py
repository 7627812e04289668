# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that hold for the text of every file: licence, no machine's paths, no remote code, no shell."""

from __future__ import annotations

import re

import pytest

from checkout import ROOT, files, relative, tasks, text_of

SOURCES = ("**/*.py", "**/*.yml", "**/*.yaml", "**/*.js", "**/*.j2", "**/*.css", "**/*.html", "**/*.toml", "**/*.sh", "Makefile", "ansible.cfg", ".ci/run")
LICENCE = "SPDX-License-Identifier: GPL-3.0-or-later"
CAPTURED = re.compile(r"(^|/)(fixtures|data|snapshots)/|^changelogs/")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:work|root/[.\w]+|home/\w+)/|/tmp/[l]ab\b")
COMMANDS = {"ansible.builtin.shell", "ansible.builtin.command", "ansible.builtin.raw", "ansible.builtin.script"}


def test_sources_carry_their_licence() -> None:
    sources = [path for path in files(*SOURCES) if not CAPTURED.search(relative(path))]
    assert sources
    assert [relative(path) for path in sources if LICENCE not in text_of(path)[:600] and text_of(path).strip()] == []


def test_python_files_postpone_annotations() -> None:
    """ansible-test and Python 3.11 both require it, and every file has the same header."""
    sources = [path for path in files("**/*.py") if not CAPTURED.search(relative(path)) and text_of(path).strip()]
    assert [relative(path) for path in sources if "from __future__ import annotations" not in text_of(path)] == []


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [f"{relative(path)}: {line.strip()[:120]}" for path in files("**") for line in text_of(path).splitlines() if MACHINE_PATHS.search(line)]
    assert found == []


def test_load_scripts_have_no_remote_imports() -> None:
    """A disconnected cluster has no Internet, and k6 2 fetches a build for `k6/x/…`."""
    statement = re.compile(r"(?:from|import)\s*\(?['\"]([^'\"]+)['\"]")
    imported = {f"{relative(path)}: {found}" for path in files("files/k6/**/*.js", "tests/k6/**/*.js") for found in statement.findall(text_of(path))}
    assert [item for item in sorted(imported) if not re.search(r": (\.{1,2}/|k6$|k6/(?!x/))", item)] == []


def test_only_the_settings_read_the_environment_of_k6() -> None:
    assert [relative(path) for path in files("files/k6/**/*.js") if "__ENV" in text_of(path)] == ["files/k6/lib/settings.js"]


@pytest.mark.parametrize("flag", ["--no-summary", "--summary-mode", "--new-machine-readable-summary"])
def test_no_k6_flag_that_only_some_versions_support(flag: str) -> None:
    """Comments may name a flag; argument lists may not."""
    places = files("plugins/**/*.py", "roles/**/*.yml", "playbooks/*.yml", "Makefile")
    assert [relative(path) for path in places if re.search(rf"['\"]{flag}\b", text_of(path))] == []


def test_commands_are_the_exception_and_explained() -> None:
    """A task that runs a command explains in a comment why no module does, and sets when it changed something."""
    wrong = []
    for path in files("roles/*/tasks/**/*.yml", "playbooks/**/*.yml"):
        lines = text_of(path).splitlines()
        for number, line in enumerate(lines):
            found = re.match(r"\s*(ansible\.builtin\.\w+):", line)
            if not found or found[1] not in COMMANDS:
                continue
            start = next((n for n in range(number, -1, -1) if re.match(r"\s*- name:", lines[n])), 0)
            end = next((n for n in range(number + 1, len(lines)) if re.match(r"\s*- \w", lines[n])), len(lines))
            around = lines[max(0, start - 2) : end]
            if not any("#" in text for text in around) or not any("changed_when" in text for text in around):
                wrong.append(f"{relative(path)}:{number + 1}")
    assert wrong == []


def test_short_names_of_modules_are_not_used() -> None:
    short = {name.rsplit(".", 1)[1] for name in COMMANDS | {"ansible.builtin.pause"}}
    assert [place for place, task in tasks() if short & task.keys()] == []


def test_the_checkout_is_a_collection() -> None:
    link = ROOT / ".collections" / "ansible_collections" / "perfscale" / "mlflow"
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == ROOT.resolve()
