# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every wait has a limit: loops of tasks, loops that sleep, and calls of plugins that return only when something else happens."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from checkout import files, relative, tasks, text_of

# An unlimited wait in YAML: `until` needs both of these, and a limit of zero is none.
UNTIL_NEEDS = ("retries", "delay")
FIXED_WAITS = {"ansible.builtin.pause"}
LIMIT_NAMES = re.compile(r"deadline|limit|timeout|monotonic|attempt|retries|until", re.IGNORECASE)
# Calls that wait for ever unless one of these keywords, or options of the caller, limit them.
LIMITED_BY = {
    "subprocess.run": {"timeout"},
    "subprocess.call": {"timeout"},
    "subprocess.check_call": {"timeout"},
    "subprocess.check_output": {"timeout"},
    "communicate": {"timeout"},
    "as_completed": {"timeout"},
    "urlopen": {"timeout"},
    "urlretrieve": set(),
    "getresponse": set(),
    "create_connection": {"timeout"},
    "HTTPConnection": {"timeout"},
    "HTTPSConnection": {"timeout"},
    "PoolManager": {"timeout"},
    "ProxyManager": {"timeout"},
    "Config": {"connect_timeout", "read_timeout"},
    "sqlite3.connect": {"timeout"},
    "psycopg.connect": {"connect_timeout"},
    "pool.map": {"timeout"},
    "pool.request": {"timeout"},
    "_pool.request": {"timeout"},
}
# Methods of processes, threads, locks, queues and futures, which wait for ever when they are called with nothing.
LIMITED_BY_AN_ARGUMENT = {"wait", "join", "acquire", "get", "result", "exception", "select", "recv", "accept", "readline", "getline"}
# What is listed here waits for something that ends by itself.
ALLOWED = {
    "plugins/module_utils/common/bounded_response.py: _limits.get()": "a context variable, which never waits",
    "plugins/module_utils/common/parallel.py: pool.map(function, items)": "each item is a request with a limit of its own",
    "plugins/module_utils/local/process.py: stdout.readline()": "select saw the report, which is written at once",
    "plugins/module_utils/publish/s3.py: stream.readline()": "a stream of BoundedSocket, which has limits",
    "plugins/module_utils/report/charts.py: pool.map(_draw, by_cost)": "drawing is work of the processor, and a pool whose process is killed ends",
    "plugins/module_utils/local/watcher.py: os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)": "the watcher has to live as long as its process",
    "plugins/module_utils/local/watcher.py: os.wait4(child.pid, 0)": "the process ended: the line before saw it",
}


def test_there_are_tasks() -> None:
    assert list(tasks())


def test_every_until_is_limited() -> None:
    assert [place for place, task in tasks() if "until" in task and any(key not in task for key in UNTIL_NEEDS)] == []


def test_no_limit_is_zero() -> None:
    """`timeout: 0` and `async: 0` mean for ever, or not at all."""
    zero = []
    for place, task in tasks():
        for arguments in (task, *(value for value in task.values() if isinstance(value, dict))):
            zero += [f"{place}: {key}" for key in ("timeout", "wait_timeout", "async", "retries") if key in arguments and str(arguments[key]) == "0"]
    assert zero == []


def test_nothing_waits_a_fixed_time() -> None:
    waiting = [place for place, task in tasks() if FIXED_WAITS & task.keys()]
    waiting += [place for place, task in tasks() if set(task.get("ansible.builtin.wait_for") or {}) == {"timeout"}]
    assert waiting == []


def test_loops_that_sleep_have_a_limit() -> None:
    """Such a loop names a limit; what cannot be seen in the syntax is left to the unit tests."""
    endless = []
    for path in files("plugins/**/*.py"):
        for loop in (node for node in ast.walk(ast.parse(text_of(path))) if isinstance(node, ast.While)):
            names = {getattr(node, "id", "") or getattr(node, "attr", "") or getattr(node, "arg", "") or "" for node in ast.walk(loop)}
            if any("sleep" in name for name in names) and not any(LIMIT_NAMES.search(name) for name in names):
                endless.append(f"{relative(path)}:{loop.lineno}")
    assert endless == []


def unlimited(text: str) -> Iterator[str]:
    """Yield the calls in a Python source that wait without a limit."""
    for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
        if is_unlimited(call):
            yield ast.unparse(call)


def is_unlimited(call: ast.Call) -> bool:
    name, written = ast.unparse(call.func), ast.unparse(call)
    short = name.rpartition(".")[2]
    keywords = {keyword.arg for keyword in call.keywords}
    needed = next((LIMITED_BY[key] for key in (name, ".".join(name.split(".")[-2:]), short) if key in LIMITED_BY), None)
    if needed is not None:
        # Options that are passed on (**options) are seen where they are set.
        return None not in keywords and not (needed and needed <= keywords)
    if short in ("flock", "lockf"):
        return "LOCK_NB" not in written and "LOCK_UN" not in written
    if name in ("os.wait", "os.wait3", "os.wait4", "os.waitpid", "os.waitid"):
        return "WNOHANG" not in written
    if name == "select.select":
        return len(call.args) < 4
    return "." in name and short in LIMITED_BY_AN_ARGUMENT and not call.args and not keywords


def test_calls_that_wait_have_a_limit() -> None:
    found = {f"{relative(path)}: {call}" for path in files("plugins/**/*.py") for call in unlimited(text_of(path))}
    assert sorted(found - ALLOWED.keys()) == []
    assert sorted(ALLOWED.keys() - found) == [], "these are gone and need no reason any more"


@pytest.mark.parametrize(
    ("planted", "is_unlimited"),
    [
        pytest.param("subprocess.run(argv)", True, id="a command"),
        pytest.param("subprocess.run(argv, timeout=5)", False, id="a command with a limit"),
        pytest.param("child.communicate()", True, id="a process"),
        pytest.param("child.wait()", True, id="the end of a process"),
        pytest.param("child.wait(timeout=5)", False, id="the end of a process with a limit"),
        pytest.param("thread.join()", True, id="a thread"),
        pytest.param("','.join(names)", False, id="a text"),
        pytest.param("lock.acquire()", True, id="a lock"),
        pytest.param("queue.get()", True, id="a queue"),
        pytest.param("settings.get('name')", False, id="a dictionary"),
        pytest.param("future.result()", True, id="a future"),
        pytest.param("select.select([stream], [], [])", True, id="a stream"),
        pytest.param("select.select([stream], [], [], 5)", False, id="a stream with a limit"),
        pytest.param("fcntl.flock(stream, fcntl.LOCK_EX)", True, id="a file lock"),
        pytest.param("fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)", False, id="a file lock that is tried"),
        pytest.param("os.waitpid(pid, 0)", True, id="a child"),
        pytest.param("urllib3.PoolManager(retries=False)", True, id="a pool"),
        pytest.param("urllib3.PoolManager(timeout=5)", False, id="a pool with a limit"),
        pytest.param("urllib.request.urlopen(url)", True, id="a URL"),
        pytest.param("botocore.config.Config(connect_timeout=5)", True, id="botocore without a limit for reading"),
        pytest.param("stdout.readline()", True, id="a pipe"),
    ],
)
def test_unlimited_calls_are_seen(planted: str, is_unlimited: bool) -> None:
    assert list(unlimited(planted)) == ([ast.unparse(ast.parse(planted, mode="eval").body)] if is_unlimited else [])
