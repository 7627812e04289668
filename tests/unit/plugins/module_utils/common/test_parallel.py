# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel


def test_parallel_results_keep_their_order_and_errors_end_it():
    assert in_parallel(lambda item: item * 2, range(20), 4) == list(range(0, 40, 2))
    begun = []

    def fail(item):
        begun.append(item)
        # Slower than the thread that waits for the results, which cancels the others.
        time.sleep(0.01 * bool(item))
        raise ValueError(item)

    with pytest.raises(ValueError, match="0"):
        in_parallel(fail, range(10000), 2)
    assert len(begun) < 10000
