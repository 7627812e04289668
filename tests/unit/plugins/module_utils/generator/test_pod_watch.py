# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching a load in a pod: what one look makes of an answer, of none, and of a pod that is lost."""

from __future__ import annotations

import pytest
from pod_stand_in import NAMESPACE, POD, POD_PATH

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_watch
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_watch import PodWatch
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError

HANDLE = {"namespace": NAMESPACE, "pod": POD, "container": "k6", "pod_uid": "uid-1", "restarts": 0, "directory": "/results/x"}
ENDED = '{"pid": 7, "exit_code": %d, "started": 100, "lasted_cs": 550, "cpu_times": "0m1.5s 1m0.25s", "oom_kills": %d}'


@pytest.fixture(name="watch")
def fixture_watch(pod, monkeypatch):
    """A watch whose answers the test gives, one by one."""
    answers = []

    def ask(_self, *_words, **_options):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(pod_watch.PodScript, "ask", ask)
    watch = PodWatch(lambda: pod, HANDLE)
    watch.answers = answers
    return watch


def test_progress_is_counted_from_block_to_block(watch):
    watch.answers += [{"phase": "running", "elapsed_cs": "1250", "block": "3", "counts": "40 2", "peak_kb": "2048"}]
    look = watch.look(True)
    assert (look.is_running, look.age_s, look.requests, look.failures, look.note) == (True, 12.5, 40, 2, "")
    assert watch.peak_bytes == 2 * 2**20


def test_an_end_is_recorded(watch):
    watch.answers += [{"phase": "ended", "exit": ENDED % (0, 0), "elapsed_cs": "600"}]
    assert not watch.look(False).is_running
    assert watch.ended() == {
        "pid": 7, "exit_code": 0, "signal": None, "started": 100, "ended": 105.5, "cpu_seconds": 61.75, "max_rss_bytes": None, "oom_kills": 0,
    }


@pytest.mark.parametrize(("code", "kills", "is_oom"), [(137, 1, True), (137, 0, False), (0, 1, False)], ids=["oom", "kill-9", "another-was-killed"])
def test_out_of_memory_is_no_end(watch, code, kills, is_oom):
    watch.answers += [{"phase": "ended", "exit": ENDED % (code, kills), "elapsed_cs": "600"}]
    watch.look(False)
    assert (watch.ended() is None) == is_oom
    if is_oom:
        text, retry = watch.loss()
        assert "k6 ran out of memory (OOMKilled, exit code 137)" in text and not retry


def test_an_api_server_that_does_not_answer_is_waited_for(watch, pod, monkeypatch):
    def silence(_path, **_options):
        raise ClusterError("the API server does not answer")

    monkeypatch.setattr(pod, "get", silence)
    watch.answers += [ClusterError("cut")]
    look = watch.look(True)
    assert look.is_running and look.age_s is None and "does not answer" in look.note


def test_a_client_that_cannot_be_made_yet_is_waited_for():
    def connect():
        raise ClusterError("no usable configuration")

    assert PodWatch(connect, HANDLE).look(False).note == "no usable configuration"


def test_a_pod_that_lives_but_gives_no_answer_is_waited_for(watch):
    watch.answers += [ClusterError("cut")]
    assert watch.look(False) == (True, None, 0, 0, "cut")


def test_a_deleted_pod_may_be_replaced(watch, pod):
    del pod.objects[POD_PATH]
    watch.answers += [ClusterError("404", 404)]
    assert not watch.look(False).is_running
    assert watch.ended() is None
    text, retry = watch.loss()
    assert retry and "lost its pod bench/k6-benchmark: the pod was deleted." in text


def test_a_load_without_a_trace_is_not_tried_again(watch):
    watch.answers += [{"phase": "lost", "elapsed_cs": "600"}]
    assert not watch.look(False).is_running
    text, retry = watch.loss()
    assert not retry and "k6 is gone and left no exit code" in text


def test_what_cannot_be_stopped_goes_on(watch):
    watch.answers += [ClusterError("cut")]
    watch.stop()
    assert watch.answers == []


@pytest.mark.parametrize(("left", "pause"), [(None, 5.0), (60, 5.0), (4, 2.0), (-3, 1.0)])
def test_looks_come_closer_towards_the_end(watch, left, pause):
    assert watch.pause_s(left) == pause
