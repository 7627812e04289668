# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of a cluster with the k6-operator: the objects that the real one was seen to create, and runners that are the real load.sh on this machine."""

from __future__ import annotations

import contextlib
import copy
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import CommandResult
from fakes.fake_cluster import FakeCluster
from fakes.fake_generator_pod import NAMESPACE, POD, RAW, ROOT

TEST_RUNS = f"/apis/k6.io/v1alpha1/namespaces/{NAMESPACE}/testruns"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"
SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services/"
# It waits for its start as a paused k6 does, writes what k6 writes, and ends after the window of its configuration, or with the code in a file.
PROGRAM = """#!{sh}
pod=../..
echo "arguments $*"
[ ! -e $pod/early ] || exit "$(cat $pod/early)"
trap 'kill "$!" 2>/dev/null; exit 105' TERM
until [ -e $pod/go ]; do sleep 0.05 & wait "$!"; done
cp "{raw}" raw.csv
seconds=$(cat $pod/seconds 2>/dev/null)
sleep "${{seconds:-$(sed -n 's/.*"window_s": \\([0-9.]*\\).*/\\1/p' load_config.json)}}" &
wait "$!"
echo '{{}}' > summary_tenants-1_concurrency_1.json
[ ! -e $pod/late ] || exit "$(cat $pod/late)"
"""


def generator_of(shards: int, **runner: Any) -> dict[str, Any]:
    """Return the generator of target.json for a load that is divided."""
    settings = {
        "image_pull_policy": "IfNotPresent",
        "image_pull_secrets": [],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        "run_as_user": None,
        "fs_group": None,
        "volume_size": "1Gi",
        "node_selector": {},
        "tolerations": [],
        "avoid": [],
        "avoid_required": False,
        "starter_image": "",
        "spread": "even",
        "round_vus": True,
        "start_margin_s": 5.0,
        "hold_s": 60,
        "cores": 1.0,
        **runner,
    }
    return {"kind": "k6_operator", "namespace": NAMESPACE, "pod": POD, "image": "k6:1", "shards": shards, "cores": 1.0 * shards, "runner": settings}


class FakeK6Operator(FakeCluster):
    """Each TestRun gets its Jobs and pods at once; what goes wrong is set beforehand.

    `early` and `late` are exit codes of k6 by shard, before the start and at the end, which `seconds` brings
    forward; `rejected` shards get no pod, with an event; with `starter_fails`
    the runners stay paused, with `is_absent` nothing is seen at all, with `vanishes` the TestRun is deleted at once; `script_error` is the log of an
    initializer that fails. `unpaused` are the shards that were started through the proxy.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__((f"/api/v1/namespaces/{NAMESPACE}", {"metadata": {"name": NAMESPACE}}))
        self.served["/apis/k6.io/v1alpha1"] = [{"name": "testruns", "kind": "TestRun", "namespaced": True}]
        self.directory = directory
        self.early: dict[int, int] = {}
        self.late: dict[int, int] = {}
        self.seconds: dict[int, float] = {}
        self.rejected: set[int] = set()
        self.starter_fails = self.is_absent = self.vanishes = False
        self.script_error = ""
        self.fails: list[Exception] = []
        self.unpaused: list[int] = []
        self.commands: list[tuple[str, str, list[str]]] = []
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        shutil.copytree(ROOT / "files" / "k6", directory / "scripts")
        for path in (directory / "scripts" / "bin", directory / "bin"):
            path.mkdir()
        shutil.copy(ROOT / "files" / "k6" / "pod" / "load.sh", directory / "scripts" / "bin" / "k6")
        (directory / "bin" / "k6").write_text(PROGRAM.format(sh=shutil.which("sh"), raw=RAW))
        for path in (directory / "scripts" / "bin" / "k6", directory / "bin" / "k6"):
            path.chmod(0o755)

    @property
    def script(self) -> str:
        """Where load.sh lies."""
        return str(self.directory / "scripts" / "pod" / "load.sh")

    @property
    def path(self) -> str:
        """The PATH of an image."""
        return f"{self.directory / 'bin'}{os.pathsep}{os.environ['PATH']}"

    def server_time(self, **_options: Any) -> float:
        return time.time()

    def get(self, path: str, **_options: Any) -> dict[str, Any] | None:
        self._observe()
        return super().get(path)

    def items(self, path: str, selector: str = "", **_query: Any) -> list[dict[str, Any]]:
        if self.fails:
            raise self.fails.pop(0)
        self._observe()
        return super().items(path, selector)

    def request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        if path.startswith(SERVICES):
            return self._control(method, path, options.get("body"))
        answer = super().request(method, path, **{key: value for key, value in options.items() if key in ("body", "query", "content_type")})
        if path.startswith(f"{TEST_RUNS}/") and method == "DELETE":
            self._end(path.rsplit("/", 1)[1])
        elif path.startswith(f"{TEST_RUNS}/") and method == "PATCH":
            self.objects[path]["metadata"]["namespace"] = NAMESPACE
            if self.vanishes:
                del self.objects[path]
            elif not self.is_absent:
                self._begin(self.objects[path])
        return answer

    def pod(self, shard: int) -> dict[str, Any]:
        """Return the object of a runner's pod, to be changed."""
        return next(pod for path, pod in self.objects.items() if path.startswith(f"{PODS}/") and pod["metadata"]["labels"]["job-name"].endswith(f"-{shard}"))

    def has_rows(self, shard: int) -> bool:
        """Return whether k6 of a runner has begun its raw output."""
        return any(self._place(self.pod(shard)["metadata"]["name"]).glob("results/*/raw.csv"))

    def delete_pod(self, shard: int, is_gone: bool = False) -> None:
        """Delete a runner's pod as a user or an eviction would: it gets SIGTERM and its grace period, after which it is gone."""
        pod = self.pod(shard)
        if is_gone:
            self._kill(pod["metadata"]["name"])
            del self.objects[f"{PODS}/{pod['metadata']['name']}"]
            return
        pod["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
        self.processes[pod["metadata"]["name"]].send_signal(signal.SIGTERM)

    def run_out_of_memory(self, shard: int) -> None:
        """Have the kernel end the container of k6 with all its processes; the one beside it lives on."""
        pod = self.pod(shard)
        self._kill(pod["metadata"]["name"])
        self._terminate(pod, 137, "OOMKilled")

    def run(self, _cluster: Any, container: Any, argv: list[str], stdin: bytes = b"", timeout_s: float = 30.0) -> CommandResult:
        """Replace pod_exec.run."""
        pod = self.objects.get(f"{PODS}/{container.pod}")
        words = argv[argv.index(self.script) + 1 :]
        self.commands.append((container.pod, container.name, words))
        ended = pod is not None and any(status["name"] == container.name and "terminated" in status["state"] for status in pod["status"]["containerStatuses"])
        if pod is None or ended:
            raise ClusterError(f"Command in pod {container.pod}: container {container.name} not found", 404, "NotFound")
        where = self._place(container.pod) / "results"
        mapped = [word.replace("/results/", f"{where}/") if word.startswith("/results") else word for word in argv]
        mapped = [str(where) if word == "/results" else word for word in mapped]
        done = subprocess.run(mapped, input=stdin, capture_output=True, env={"PATH": self.path}, timeout=timeout_s, check=False)
        return CommandResult(done.returncode, done.stdout.replace(str(where).encode(), b"/results"), done.stderr.decode())

    def close(self) -> None:
        """End all runners."""
        for name in list(self.processes):
            self._kill(name)

    def _place(self, pod: str) -> Path:
        return self.directory / "pods" / pod

    def _control(self, method: str, path: str, body: Any) -> dict[str, Any]:
        """Respond as k6's REST API does, through the proxy."""
        name = path.removeprefix(SERVICES).partition(":")[0].replace("-service-", "-")
        place, process = self._place(f"{name}-x"), self.processes.get(f"{name}-x")
        is_up = next(place.glob("results/*/load.pid"), None) and not next(place.glob("results/*/exit.json"), None)
        if process is None or process.poll() is not None or not is_up:
            raise ClusterError("no endpoints available for service", 503, "ServiceUnavailable")
        if method == "PATCH":
            assert body == {"data": {"type": "status", "id": "default", "attributes": {"paused": False}}}
            self.unpaused.append(int(name.rsplit("-", 1)[1]))
            (place / "go").touch()
        return {"data": {"attributes": {"paused": not (place / "go").exists()}}}

    def _begin(self, test_run: dict[str, Any]) -> None:
        name, spec = test_run["metadata"]["name"], test_run["spec"]
        if self._job(name, "initializer", bool(self.script_error)):
            self.logs[f"{PODS}/{name}-initializer-x/log"] = self.script_error
            test_run["status"] = {"stage": "error"}
            return
        test_run["status"] = {"stage": "created"}
        for shard in range(1, spec["parallelism"] + 1):
            if shard in self.rejected:
                self.objects[f"{JOBS}/{name}-{shard}"] = {"metadata": {"name": f"{name}-{shard}", "labels": self._labels(name)}, "status": {}}
                about = {"kind": "Job", "name": f"{name}-{shard}"}
                event = {"type": "Warning", "reason": "FailedCreate", "message": "exceeded quota", "involvedObject": about, "metadata": {"name": f"e{shard}"}}
                self.objects[f"{EVENTS}/e{shard}"] = event
            else:
                self._runner(test_run, shard)
        if self.rejected or self.early:
            return
        test_run["status"] = {"stage": "started"}
        if not self._job(name, "starter", self.starter_fails):
            for shard in range(1, spec["parallelism"] + 1):
                (self._place(f"{name}-{shard}-x") / "go").touch()

    def _job(self, name: str, role: str, has_failed: bool) -> bool:
        """Add a Job and its pod, both ended; return whether they failed."""
        ended = {"failed": 1} if has_failed else {"succeeded": 1}
        self.objects[f"{JOBS}/{name}-{role}"] = {"metadata": {"name": f"{name}-{role}", "labels": self._labels(name)}, "status": ended}
        pod = {
            "metadata": {"name": f"{name}-{role}-x", "uid": f"uid-{role}", "labels": {**self._labels(name), "job-name": f"{name}-{role}"}},
            "spec": {},
            "status": {"phase": "Failed" if has_failed else "Succeeded", "containerStatuses": [{"name": "k6", "state": {"running": {}}}]},
        }
        self._terminate(pod, 127 if has_failed else 0, "Error" if has_failed else "Completed")
        self.objects[f"{PODS}/{name}-{role}-x"] = pod
        return has_failed

    def _runner(self, test_run: dict[str, Any], shard: int) -> None:
        name, runner = test_run["metadata"]["name"], test_run["spec"]["runner"]
        pod, place = f"{name}-{shard}-x", self._place(f"{name}-{shard}-x")
        (place / "results").mkdir(parents=True)
        (place / "test").mkdir()
        config_map = self.objects[f"/api/v1/namespaces/{NAMESPACE}/configmaps/{test_run['spec']['script']['configMap']['name']}"]
        for key, text in config_map["data"].items():
            (place / "test" / key).write_text(text)
        for kind, codes in (("early", self.early), ("late", self.late), ("seconds", self.seconds)):
            if shard in codes:
                (place / kind).write_text(str(codes[shard]))
        mapped = {"/results": str(place / "results"), "/scripts": str(self.directory / "scripts"), "/test": str(place / "test")}
        environment = {entry["name"]: entry["value"] for entry in runner["env"]}
        for old, new in mapped.items():
            environment = {key: value.replace(f"{old}/", f"{new}/") if value != old else new for key, value in environment.items()}
        segment = ["--execution-segment=x"] if test_run["spec"]["parallelism"] > 1 else []
        argv = [str(self.directory / "scripts" / "bin" / "k6"), "run", "--quiet", *segment, *test_run["spec"]["arguments"].split(), "/test/test.js"]
        self.processes[pod] = subprocess.Popen([*argv, "--address=0.0.0.0:6565", "--paused"], env=environment, start_new_session=True)
        labels = {**self._labels(name), **runner["metadata"]["labels"], "runner": "true", "job-name": f"{name}-{shard}"}
        self.objects[f"{JOBS}/{name}-{shard}"] = {"metadata": {"name": f"{name}-{shard}", "labels": labels}, "status": {"active": 1}}
        status = {"phase": "Running", "containerStatuses": [{"name": "k6", "restartCount": 0, "state": {"running": {}}}]}
        metadata = {"name": pod, "namespace": NAMESPACE, "uid": f"uid-{pod}", "labels": labels}
        self.objects[f"{PODS}/{pod}"] = {"metadata": metadata, "spec": {"nodeName": f"node{shard}"}, "status": copy.deepcopy(status)}

    @staticmethod
    def _labels(name: str) -> dict[str, str]:
        return {"app": "k6", "k6_cr": name}

    def _observe(self) -> None:
        """Do what the kubelet does: containers that have ended are seen."""
        for name, process in self.processes.items():
            pod = self.objects.get(f"{PODS}/{name}")
            if pod is not None and process.poll() is not None and "running" in pod["status"]["containerStatuses"][0]["state"]:
                self._terminate(pod, process.returncode, "Completed" if process.returncode == 0 else "Error")

    def _terminate(self, pod: dict[str, Any], code: int, reason: str) -> None:
        pod["status"]["containerStatuses"][0]["state"] = {"terminated": {"exitCode": code, "reason": reason}}
        pod["status"]["phase"] = "Succeeded" if code == 0 else "Failed"
        job = self.objects.get(f"{JOBS}/{pod['metadata']['labels']['job-name']}")
        if job is not None:
            job["status"] = {"succeeded": 1} if code == 0 else {"failed": 1}

    def _kill(self, pod: str) -> None:
        process = self.processes[pod]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=5)

    def _end(self, name: str) -> None:
        """Do what the garbage collector does once a TestRun is deleted."""
        for path in [path for path, entry in self.objects.items() if (entry["metadata"].get("labels") or {}).get("k6_cr") == name]:
            pod = path.rsplit("/", 1)[1]
            if pod in self.processes:
                self._kill(pod)
            del self.objects[path]
