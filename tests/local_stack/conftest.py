# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real local stacks below a temporary directory, which are stopped at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.local_stacks import Stack


@pytest.fixture
def create_stack(tmp_path: Path) -> Iterator[Callable[[str], Stack]]:
    """Create stacks by name; each is stopped at the end and its data deleted."""
    made: list[Stack] = []

    def create(name: str) -> Stack:
        (tmp_path / name).mkdir()
        made.append(Stack(tmp_path / name))
        return made[-1]

    yield create
    for stack in made:
        stack.env = {}
        assert stack.play("teardown", teardown_data=True).returncode == 0
        assert stack.processes() == []
