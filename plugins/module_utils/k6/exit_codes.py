# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exit codes of k6: what they mean, and after which the window is complete.

Source: errext/exitcodes/codes.go of grafana/k6, the same list in 1.x and 2.x; codes from 128 on are signals as a
shell or container runtime reports them.
"""

from __future__ import annotations

MEANINGS = {
    0: "k6 ended by itself",
    97: "a cloud run was aborted",
    98: "the progress of a cloud run was lost",
    99: "a threshold was crossed",
    100: "setup() timed out",
    101: "teardown() timed out",
    102: "a wait of k6 timed out",
    103: "k6 was stopped through its REST API",
    104: "k6 rejected its configuration",
    105: "k6 was stopped by a signal",
    106: "k6 could not open its REST API port",
    107: "the script threw an exception",
    108: "the script called test.abort()",
    109: "k6 panicked",
    110: "the script marked the test as failed",
    137: "k6 was killed (out of memory, or kill -9)",
    143: "k6 was terminated (SIGTERM)",
}
COMPLETE = frozenset({0, 99, 110})
"""Codes after which the load ran to its end: a crossed threshold or a failed check is a finding about the server, not a crash."""
INTERRUPTED = frozenset({103, 105, 143})
"""Codes of a k6 that was stopped from outside, as the other shards of a load are when a threshold ended one of them."""
STOPPED = 99
"""The code of a load that a threshold ended early: those of the load script otherwise never fail."""


def is_complete(code: int | None) -> bool:
    """Return whether k6 ran to the end of its load and wrote all of its output; a running k6 (None) has not."""
    return code in COMPLETE


def meaning(code: int) -> str:
    """Return what an exit code means; -9 as Python reports a signal is the same as 137."""
    code = 128 - code if code < 0 else code
    if code in MEANINGS:
        return MEANINGS[code]
    return f"k6 was terminated by signal {code - 128}" if 128 < code < 160 else f"unknown exit code {code}"
