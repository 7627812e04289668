# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the node that tests inject."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from node import control_plane, go_programs, layout


@contextmanager
def api_server_down(places: layout.Layout) -> Iterator[None]:
    """Kill the API server; when the block is left it serves again. What runs in pods goes on.

    Its controllers are started again then: elected ones end when they lose their lease, while those of a single node would wait for their next attempt,
    up to a minute later each.
    """
    kubernetes = go_programs.ensure(places.cache, go_programs.KUBERNETES)
    server = control_plane.api_server(places, kubernetes)
    server.kill(places)
    try:
        yield
    finally:
        controllers = (control_plane.controller_manager(places, kubernetes), control_plane.scheduler(places, kubernetes))
        # First: one that returns to the server would taint the node, which it has not heard of for so long.
        for program in controllers:
            program.kill(places)
        server.start(places)
        for program in controllers:
            program.start(places)
