# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/troubleshooting.md has messages that the code really has, and every finding of the default rules."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import pytest
from test_remedies import JINJA, texts_of_plugins, texts_of_roles

from checkout import ROOT, load_yaml

PAGE = ROOT / "docs" / "troubleshooting.md"
FINDINGS = "## Findings about a cell"


@functools.cache
def sources() -> tuple[str, ...]:
    """The texts of plugins and roles; what is inserted at run time is one character."""
    return tuple(JINJA.sub("\0", text) for texts in (texts_of_plugins, texts_of_roles) for _where, text in texts())


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of the tables, without headers."""
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith(("| message", "| finding")):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def parts() -> tuple[str, str]:
    """The page without the section about findings, and that section."""
    before, _title, rest = PAGE.read_text(encoding="utf-8").partition(FINDINGS)
    section, mark, after = rest.partition("\n## ")
    return before + mark + after, section


def messages() -> list[str]:
    return [message for row in rows(parts()[0]) for message in re.findall(r"`([^`]+)`", row[0])]


def is_of_code(message: str) -> bool:
    pattern = re.compile(".*".join(map(re.escape, message.split("…"))), re.DOTALL)
    return any(pattern.search(text) for text in sources())


def test_the_page_has_messages() -> None:
    assert len(messages()) > 30


@pytest.mark.parametrize("message", messages())
def test_the_code_has_the_message(message: str) -> None:
    assert is_of_code(message)


def test_a_message_that_is_gone_is_found() -> None:
    assert not is_of_code("MLflow …: has gone fishing")


def test_every_finding_has_a_row() -> None:
    named = [name for row in rows(parts()[1]) for name in re.findall(r"`([^`]+)`", row[0])]
    assert sorted(named) == sorted({rule["finding"] for rule in load_yaml(ROOT / "files" / "validity" / "default.yml")["rules"]})


def test_every_row_has_a_cause_and_a_remedy() -> None:
    assert [row for part in parts() for row in rows(part) if len(row) != 3 or not all(row)] == []
