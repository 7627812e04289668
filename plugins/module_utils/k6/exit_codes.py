# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the exit code of k6 means.

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
    104: "k6 refused its configuration",
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
"""Codes after which the load ran to its end: a crossed threshold is a finding about the server, not a crash."""


def meaning(code: int) -> str:
    """Say what an exit code means; -9 as Python reports a signal is the same as 137."""
    code = 128 - code if code < 0 else code
    if code in MEANINGS:
        return MEANINGS[code]
    return f"k6 was ended by signal {code - 128}" if 128 < code < 160 else f"unknown exit code {code}"
