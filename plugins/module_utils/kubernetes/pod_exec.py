# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One short command in a container, through the API server.

The client library opens the connection. Its WSClient has no time limit inside a frame, copies all output again with each frame, and before release 37
may leave the last frames of a TLS record unread, so the frames are read here. The protocol
(v4.channel.k8s.io): the first byte of each frame is the channel, 0 standard input, 1 output, 2 errors, 3 a Status object with the exit code
(https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError, from_response, unreachable

try:
    import websocket
    from kubernetes.stream.ws_client import create_websocket
except ImportError:  # the modules report it with missing_required_lib, as for the client itself
    websocket = None  # type: ignore[assignment]

PROTOCOL = "v4.channel.k8s.io"
STDIN, STDOUT, STDERR, STATUS = 0, 1, 2, 3
CONNECT_S = 10.0
STDIN_BLOCK = 1 << 15
MISSING_PROGRAM = ("executable file not found", "no such file or directory")
# Standard error is truncated after so many bytes.
STDERR_LIMIT = 1 << 14
# Our scripts send files in pieces of a few MiB; a command that sends more than this is not ours (bytes).
RECEIVED_LIMIT = 64 << 20
# The last line of a complete response of our scripts, which get it as PERFSCALE_END: without it the connection was cut.
END = "end"
SHELL = ("env", f"PERFSCALE_END={END}", "sh")


class Container(NamedTuple):
    """Where a command runs."""

    namespace: str
    pod: str
    name: str


@dataclass(frozen=True)
class CommandResult:
    """The result of a command. `code` is None when the connection ended without an exit code, and then the output may be truncated."""

    code: int | None
    stdout: bytes
    stderr: str


def run(cluster: Cluster, container: Container, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 30.0) -> CommandResult:
    """Run a command in a container and return its result.

    Arguments appear in the API server's audit log, so no secret may be among them. The command must not wait for the end of its standard
    input, which the protocol cannot signal. Raises ClusterError when the command cannot be started (status 404 without the pod, 0 without a
    response), does not end within `timeout_s` seconds, however slowly it sends (reason Timeout), or sends more than RECEIVED_LIMIT.
    """
    command = f"Command in pod {container.namespace}/{container.pod}"
    late = ClusterError(f"{command} ({argv[0]} …): not finished within {timeout_s:g} s. Check the pod and its node.", reason="Timeout")
    deadline = time.monotonic() + timeout_s
    connection = _open(cluster, container, argv, bool(stdin), command)
    _bound(connection, deadline, f"{command} ({argv[0]} …)")
    try:
        for start in range(0, len(stdin), STDIN_BLOCK):
            connection.settimeout(_left(deadline))
            connection.send(bytes([STDIN]) + stdin[start : start + STDIN_BLOCK], opcode=websocket.ABNF.OPCODE_BINARY)
        return _receive(connection)
    except (TimeoutError, websocket.WebSocketTimeoutException) as error:
        raise late from error
    except (websocket.WebSocketException, OSError) as error:
        raise unreachable(command, cluster.host, error) from error
    finally:
        connection.close(timeout=1)


def _open(cluster: Cluster, container: Container, argv: Sequence[str], has_stdin: bool, command: str) -> Any:
    query = [("command", word) for word in argv]
    query += [("container", container.name), ("stdin", str(has_stdin).lower()), ("stdout", "true"), ("stderr", "true"), ("tty", "false")]
    address = "ws" + cluster.host.removeprefix("http")
    url = f"{address}/api/v1/namespaces/{container.namespace}/pods/{container.pod}/exec?{urlencode(query)}"
    headers = {name.lower(): value for name, value in cluster.headers().items()}
    websocket.setdefaulttimeout(CONNECT_S)
    headers["sec-websocket-protocol"] = PROTOCOL
    try:
        return _within(2 * CONNECT_S, lambda: create_websocket(cluster.configuration, url, headers))  # type: ignore[no-untyped-call]
    except websocket.WebSocketBadStatusException as error:
        raise from_response(command, error.status_code, error.resp_body or b"") from error
    except (websocket.WebSocketException, OSError, ValueError) as error:
        raise unreachable(command, cluster.host, error) from error


def _within(seconds: float, action: Callable[[], Any]) -> Any:
    """Return what an action does. Raises what it raises, and TimeoutError after so many seconds: the handshake of the library has no limit as a whole."""
    results: list[Any] = []
    errors: list[BaseException] = []

    def act() -> None:
        try:
            results.append(action())
        except BaseException as error:  # raised in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no response within {seconds:g} s")
    return results[0]


def _left(deadline: float) -> float:
    """Return the seconds until `deadline` on the monotonic clock. Raises TimeoutError when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _bound(connection: Any, deadline: float, what: str) -> None:
    """Make a connection end at `deadline` and after RECEIVED_LIMIT, within a frame too: the library waits for each piece of a frame anew."""
    receive, received = connection.frame_buffer.recv, 0

    def receive_some(size: int) -> Any:
        nonlocal received
        connection.settimeout(_left(deadline))
        data = receive(size)
        received += len(data)
        if received > RECEIVED_LIMIT:
            raise ClusterError(f"{what}: output larger than {RECEIVED_LIMIT >> 20} MiB. Check the command's program in the image.")
        return data

    connection.frame_buffer.recv = receive_some


def _receive(connection: Any) -> CommandResult:
    received: dict[int, bytearray] = {STDOUT: bytearray(), STDERR: bytearray(), STATUS: bytearray()}
    while True:
        try:
            opcode, frame = connection.recv_data_frame(True)
        except (TimeoutError, websocket.WebSocketTimeoutException):
            raise
        except (websocket.WebSocketConnectionClosedException, OSError):
            break
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            break
        if opcode in (websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT) and frame.data and frame.data[0] in received:
            channel = frame.data[0]
            if channel != STDERR or len(received[STDERR]) < STDERR_LIMIT:
                received[channel] += frame.data[1:]
    return CommandResult(exit_code(bytes(received[STATUS])), bytes(received[STDOUT]), received[STDERR].decode("utf-8", "replace"))


def exit_code(status: bytes) -> int | None:
    """Return the exit code of a Status object, or None without one. Raises ClusterError when the command could not be started."""
    if not status.strip():
        return None
    try:
        document = json.loads(status)
        if document.get("status") == "Success":
            return 0
        causes = {cause.get("reason"): cause.get("message") for cause in (document.get("details") or {}).get("causes") or []}
        if "ExitCode" in causes:
            return int(causes["ExitCode"])
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None
    message = one_line(str(document.get("message") or "no reason given"), 500)
    # Anything else may be a temporary failure of the node.
    reason = "NotStarted" if any(words in message for words in MISSING_PROGRAM) else "Trouble"
    raise ClusterError(f"Command in the pod: could not be started ({message}). Check that the image has a shell and the usual tools.", 500, reason)
