# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers on loopback that take results: an S3 gateway, nginx with WebDAV, OpenSearch. Each is a context that yields where it answers.

`tls` is a directory with ca.crt, tls.crt and tls.key for localhost, or None for a server without TLS.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.session import get_session

SCHEMAS = Path(__file__).resolve().parents[2] / "files" / "schemas"
ACCESS, SECRET, TOKEN = "access-of-the-tests", "secret-of-the-tests", "token-of-the-tests"
USERNAME, PASSWORD = "user-of-the-tests", "password-of-the-tests"
START_S = 120.0


def program(variable: str, name: str) -> str:
    """Return a program that tests/run.py has found or fetched; without it these tests are an error."""
    found = os.environ.get(variable) or shutil.which(name)
    return found or pytest.fail(f"Program {name}: not found. Put it on PATH, or name it in {variable}.", pytrace=False)


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def address(port: int, tls: Path | None) -> str:
    """Return where a server answers on a port."""
    return f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def running(argv: list[str], log: Path, answers: Callable[[], bool], end_s: float = 30.0, **options: object) -> Iterator[None]:
    """Run a server until the context ends; fail when it ends early or does not respond in time. One that takes longer than `end_s` to end is killed."""
    with log.open("wb") as stream, subprocess.Popen(argv, stdout=stream, stderr=stream, **options) as process:
        try:
            deadline = time.monotonic() + START_S
            while not answers():
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"Server {argv[0]}: ended, or did not answer within {START_S:g} s.\n{log.read_text(errors='replace')[-2000:]}", pytrace=False)
                time.sleep(0.2)
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=end_s)
            except subprocess.TimeoutExpired:
                process.kill()


def gives(url: str, tls: Path | None = None) -> bool:
    """Return whether a server responds, with any status."""
    context = ssl.create_default_context(cafile=str(tls / "ca.crt")) if tls else None
    try:
        with urllib.request.urlopen(url, timeout=5, context=context):
            return True
    except urllib.error.HTTPError:
        return True
    except (urllib.error.URLError, OSError):
        return False


@contextlib.contextmanager
def s3(directory: Path, tls: Path | None = None) -> Iterator[str]:
    """Run versitygw over a directory, with the bucket `results`."""
    gateway = program("PERFSCALE_S3_SERVER", "versitygw")
    (directory / "objects").mkdir()
    port = free_port()
    url = address(port, tls)
    environment = {"PATH": os.defpath, "ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": SECRET}
    secure = ["--cert", str(tls / "tls.crt"), "--key", str(tls / "tls.key")] if tls else []
    argv = [gateway, "--quiet", "--port", f"127.0.0.1:{port}", *secure, "posix", str(directory / "objects")]
    with running(argv, directory / "log", lambda: gives(url, tls), env=environment):
        client = get_session().create_client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
            verify=str(tls / "ca.crt") if tls else None,
        )
        client.create_bucket(Bucket="results")
        yield url


@contextlib.contextmanager
def nginx(directory: Path, tls: Path | None = None) -> Iterator[str]:
    """Run nginx with WebDAV: /dav/ stores and serves files with the token, /drop/ is write-only, /small/ accepts small files, /moved/ redirects."""
    for name in ("files/dav", "files/drop", "files/small"):
        (directory / name).mkdir(parents=True)
    write = "dav_methods PUT; create_full_put_path on;"
    places = f"""
        root {directory}/files;
        if ($http_authorization != "Bearer {TOKEN}") {{ return 401; }}
        location /dav/ {{ {write} }}
        location /drop/ {{ {write} limit_except PUT {{ deny all; }} }}
        location /small/ {{ {write} client_max_body_size 300; }}
        location /moved/ {{ return 302 http://elsewhere.invalid/; }}"""
    with _nginx(directory, places, tls) as url:
        yield url


@contextlib.contextmanager
def login(directory: Path, upstream: str, tls: Path) -> Iterator[str]:
    """Run nginx with TLS and a login in front of a server without: a fake of OpenSearch's security plugin, which uses the same basic authentication."""
    directory.joinpath("users").write_text(f"{USERNAME}:{{PLAIN}}{PASSWORD}\n", encoding="utf-8")
    place = f'location / {{ auth_basic "OpenSearch Security"; auth_basic_user_file {directory}/users; proxy_pass {upstream}; }}'
    with _nginx(directory, place, tls) as url:
        yield url


@contextlib.contextmanager
def _nginx(directory: Path, places: str, tls: Path | None) -> Iterator[str]:
    server = program("PERFSCALE_NGINX", "nginx")
    port = free_port()
    (directory / "body").mkdir()
    secure = f"ssl_certificate {tls}/tls.crt; ssl_certificate_key {tls}/tls.key;" if tls else ""
    user = "user root;" if os.geteuid() == 0 else ""
    (directory / "nginx.conf").write_text(
        f"""{user} daemon off; worker_processes 1; pid {directory}/pid; error_log stderr;
    events {{ worker_connections 64; }}
    http {{
      access_log off; client_max_body_size 100m; client_body_temp_path {directory}/body; proxy_temp_path {directory}/body; fastcgi_temp_path {directory}/body;
      uwsgi_temp_path {directory}/body; scgi_temp_path {directory}/body;
      server {{
        listen 127.0.0.1:{port}{" ssl" if tls else ""}; {secure}
        {places}
      }}
    }}
    """,
        encoding="utf-8",
    )
    url = address(port, tls)
    with running([server, "-c", str(directory / "nginx.conf"), "-p", str(directory), "-e", "stderr"], directory / "log", lambda: gives(url, tls)):
        yield url


@contextlib.contextmanager
def opensearch(directory: Path) -> Iterator[str]:
    """Run OpenSearch with nothing but its core and its HTTP server, from the jars in PERFSCALE_OPENSEARCH (tests/publish/opensearch.xml)."""
    jars, java = os.environ.get("PERFSCALE_OPENSEARCH"), shutil.which("java")
    if not jars or not java:
        pytest.skip("OpenSearch: needs Java and Maven. Install them and run the tests by `make test`.")
    home = directory / "home"
    _lay_out(home, Path(jars))
    options = ["-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.security.manager=allow", "-Dlog4j2.disable.jmx=true"]
    options += [f"-Dopensearch.path.home={home}", f"-Dopensearch.path.conf={home}/config", "-Dopensearch.distribution.type=tar"]
    options += [f"-Djna.tmpdir={home}", f"-Djava.io.tmpdir={home}"]
    # It does not run as root.
    other = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    ports = home / "logs" / "http.ports"
    argv = [java, *options, "-cp", f"{home}/lib/*", "org.opensearch.bootstrap.OpenSearch"]
    # On SIGTERM it waits half a minute for its own network threads; none of its data is needed.
    with running(argv, directory / "log", lambda: ports.exists() and gives(f"http://{ports.read_text().strip()}"), end_s=1.0, **other):
        yield f"http://{ports.read_text().strip()}"


def _lay_out(home: Path, jars: Path) -> None:
    """Lay the jars out as a distribution does: the HTTP server is a module with a class loader of its own."""
    module = home / "modules" / "transport-netty4"
    for folder in (home / "config", home / "plugins", home / "data", home / "logs", home / "lib", module):
        folder.mkdir(parents=True)
    for jar in jars.glob("*.jar"):
        shutil.copy(jar, module if jar.name.startswith(("netty-", "transport-netty4-")) else home / "lib")
    version = next(jars.glob("transport-netty4-client-*.jar")).stem.rsplit("-", 1)[-1]
    about = ["description=HTTP", "name=transport-netty4", f"version={version}", f"opensearch.version={version}", "java.version=11"]
    about += ["classname=org.opensearch.transport.Netty4Plugin", "custom.foldername=", "extended.plugins=", "has.native.controller=false"]
    (module / "plugin-descriptor.properties").write_text("\n".join(about), encoding="utf-8")
    allowed = ['java.net.SocketPermission "*", "accept,connect"', 'java.lang.RuntimePermission "getClassLoader"']
    allowed += ['java.lang.RuntimePermission "setContextClassLoader"', 'java.lang.RuntimePermission "accessDeclaredMembers"']
    allowed += ['java.util.PropertyPermission "*", "read,write"', 'java.io.FilePermission "/proc/sys/net/core/somaxconn", "read"']
    grants = "".join(f"  permission {permission};\n" for permission in allowed)
    (module / "plugin-security.policy").write_text(f"grant {{\n{grants}}};\n", encoding="utf-8")
    # It takes seconds to start, in which a port that was free may be taken by another connection; so it chooses one itself and writes it into a file.
    settings = ["discovery.type: single-node", "http.host: 127.0.0.1", "transport.host: 127.0.0.1", "http.port: 0", "transport.port: 0"]
    settings.append("node.portsfile: true")
    (home / "config" / "opensearch.yml").write_text("\n".join(settings), encoding="utf-8")
    logging = ["status = error", "appender.c.type = Console", "appender.c.name = c", "appender.c.layout.type = PatternLayout"]
    logging += ["appender.c.layout.pattern = %p %c{1.} %m%n", "rootLogger.level = warn", "rootLogger.appenderRef.c.ref = c"]
    (home / "config" / "log4j2.properties").write_text("\n".join(logging), encoding="utf-8")
    if os.geteuid() == 0:
        for path in (home, *home.rglob("*")):
            os.chown(path, 65534, 65534)
        for path in home.parents:
            if path.stat().st_uid == 0 and str(path).startswith(str(Path(os.environ.get("TMPDIR", "/tmp")) / "pytest-")):
                path.chmod(path.stat().st_mode | 0o011)
