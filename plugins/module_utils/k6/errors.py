# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error of the k6 files' readers."""

from __future__ import annotations


class K6ResultError(Exception):
    """What k6 left cannot be turned into a result; the message is one sentence for the user."""
