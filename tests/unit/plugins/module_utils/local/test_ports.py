# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the choice of ports."""

from __future__ import annotations

import socket

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import ports


def test_a_chosen_port_is_free() -> None:
    assert ports.is_free(ports.choose())


def test_the_preferred_port_is_taken_when_it_is_free() -> None:
    port = ports.choose()
    assert ports.choose(port) == port


def test_a_port_in_use_is_neither_free_nor_chosen() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        assert not ports.is_free(port)
        assert ports.choose(port) != port
        assert ports.answers(port)
    assert not ports.answers(port)
