# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fakes and factories of test data, imported as `from fakes.<file> import …` (pytest's `pythonpath` holds `tests`)."""

from __future__ import annotations
