# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with one secret each, of every kind that a run may leave somewhere; and texts that only look as if they held one.

Every secret is random and put together when the tests run, so that this file holds none.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import random
import string
import zipfile
from collections.abc import Callable
from urllib.parse import quote

_RANDOM = random.Random(20261129)
_LETTERS = string.ascii_letters + string.digits


def _some(length: int, alphabet: str = _LETTERS) -> str:
    """Return a random text with at least one letter of each case that the alphabet has and one digit."""
    while True:
        text = "".join(_RANDOM.choices(alphabet, k=length))
        if all(any(kind(char) for char in text) or not any(kind(char) for char in alphabet) for kind in (str.islower, str.isupper, str.isdigit)):
            return text


def _hex(length: int) -> str:
    return _some(length, "0123456789abcdef")


def _b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def _b64url(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def _jwt() -> str:
    return ".".join([_b64url({"alg": "RS256", "typ": "JWT"}), _b64url({"sub": "canary", "exp": 1790000000}), _some(43)])


def _pem(kind: str) -> str:
    body = "\n".join(_some(64, _LETTERS + "+/") for _line in range(3))
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n"


def _zip(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


PASSWORD = _some(12)
_SLASHED = f"{_some(5)}/{_some(5)}"
_CLIENT_KEY = _b64(_pem("EC PRIVATE" + " KEY"))
_DOCKER = _b64("robot:" + _some(14))

# What a secret is: the text that holds it.
TEXTS: dict[str, str] = {
    "yaml password, unquoted": f"database:\n  password: {PASSWORD}\n",
    "yaml password, a word": "database:\n  password: " + "horse" + "battery\n",
    "yaml password, quoted": f"password: '{PASSWORD}'\n",
    "yaml password of words": 'password: "my secret ' + 'word"\n',
    "json password of words": json.dumps({"db_password": "correct horse " + "battery staple"}),
    "json password of words in json": json.dumps({"body": json.dumps({"password": "tr0ub4dor and " + "3 more"})}),
    "password of words, single quotes": "export PGPASSWORD='correct horse " + "battery staple'\n",
    "markdown row": f"| setting | value |\n| --- | --- |\n| user | mlflow |\n| password | {PASSWORD} |\n",
    "markdown row with marks": f"| `db_password` | `{PASSWORD}` | required |\n",
    "markdown column": f"| user | Password | role |\n| --- | --- | --- |\n| mlflow | {PASSWORD} | admin |\n",
    "csv column": f"user,password,role\nmlflow,{PASSWORD},admin\n",
    "csv column, quoted": f'"user";"api_key"\r\n"mlflow";"{PASSWORD}"\r\n',
    "csv column at the end, third row": f"user,password\nothers,\nmore,none\nmlflow,{PASSWORD}\n",
    "csv row": f"name,value\nuser,mlflow\npassword,{PASSWORD}\n",
    "table with tabs": f"user\ttoken\nmlflow\t{_some(20)}\n",
    "json password": json.dumps({"db_password": PASSWORD}),
    "json password in json": json.dumps({"body": json.dumps({"password": PASSWORD})}),
    "ini password": f"[database]\npassword = {PASSWORD}\n",
    "libpq password": f"could not connect: host=db port=5432 user=mlflow password={PASSWORD} dbname=mlflow",
    "PGPASSWORD": f"+ PGPASSWORD={PASSWORD} psql -h db\n",
    "MYSQL_PWD": f"MYSQL_PWD={PASSWORD}\n",
    "MLFLOW_TRACKING_PASSWORD": f"export MLFLOW_TRACKING_PASSWORD={PASSWORD}\n",
    "variable of a pod": f"- name: DB_PASSWORD\n  value: {PASSWORD}\n",
    "variable of a pod in json": json.dumps({"name": "DB_PASSWORD", "value": PASSWORD}),
    "variable of an image": f"ENV POSTGRES_PASSWORD {PASSWORD}\n",
    "pgpass": f"db.example.com:5432:mlflow:mlflow:{PASSWORD}\n",
    "netrc": f"machine mlflow.example.com login admin password {PASSWORD}\n",
    "xml password": f"<server><username>u</username><password>{PASSWORD}</password></server>",
    "sql role": f"ALTER ROLE mlflow WITH PASSWORD '{PASSWORD}';\n",
    "ado connection string": f"Server=db;Uid=mlflow;Pwd={PASSWORD};Database=x",
    "command line password": f"mc alias set x --password {PASSWORD} --json",
    "curl user": f"curl -s -u admin:{PASSWORD} https://mlflow.example.com/",
    "oc login": f"oc login -u admin -p {PASSWORD} https://api.example.com",
    "scram verifier": f"SCRAM-SHA-256$4096:{_b64(_some(16))}${_b64(_some(32))}:{_b64(_some(32))}",
    "md5 verifier": f"md5{_hex(32)}",
    "json in html": f"{{&quot;password&quot;: &quot;{PASSWORD}&quot;}}",
    "npmrc credentials": f"_auth={_b64('user:' + PASSWORD)}",
    "password hash": "root:$6$" + _some(8) + "$" + _some(86) + ":19000:0:99999:7:::",
    "htpasswd": "admin:$2y$05$" + _some(53),
    "uri password": f"postgresql://mlflow:{PASSWORD}@db:5432/mlflow",
    "uri password without a user": f"redis://:{PASSWORD}@[::1]/0",
    "uri password with a slash": f"postgresql://mlflow:{_SLASHED}@db:5432/mlflow",
    "uri password, percent-encoded": f"postgresql://mlflow:{quote(PASSWORD + '/@:', safe='')}@db:5432/mlflow",
    "uri password in a url": f"uri={quote('postgresql://mlflow:' + PASSWORD + '@db/mlflow', safe='')}",
    "uri password in json of other programs": f'{{"uri":"postgresql:\\/\\/mlflow:{PASSWORD}@db\\/x"}}',
    "uri token as user": f"https://{_some(36)}@git.example.com/x.git",
    "uri query token": f"GET /api?access_token={_some(32)}&page=2",
    "jdbc url": f"jdbc:postgresql://db/mlflow?user=mlflow&password={PASSWORD}",
    "sentry dsn, secret in a query": f"https://s3.example.com/b/k?X-Amz-Credential=x&X-Amz-Signature={_hex(64)}",
    "azure sas": f"https://x.blob.core.windows.net/c?sv=2024&sig={quote(_b64(_some(32)))}",
    "bearer": f"> Authorization: Bearer {_some(24)}",
    "bearer in json": json.dumps({"authorization": f"bearer {_some(24)}"}),
    "bearer, short": f"Authorization: Bearer {_some(12)}",
    "basic of a Go program": f"Authorization:[Basic {_b64('admin:' + PASSWORD)}]",
    "basic": f"authorization: Basic {_b64('admin:' + PASSWORD)}",
    "authorization token": f"Authorization: Token {_hex(40)}",
    "api key header": f"X-Api-Key: {_hex(32)}",
    "gitlab header": f"PRIVATE-TOKEN: {_some(20)}",
    "cookie": f"Cookie: session={_some(32)}; theme=dark",
    "set-cookie": f"set-cookie: _oauth_proxy={_some(64)}|1790000000; Path=/; HttpOnly",
    "cookie in json": json.dumps({"headers": {"Cookie": f"session={_some(32)}"}}),
    "access_token json": json.dumps({"access_token": _some(32), "expires_in": 3600}),
    "refresh_token json": json.dumps({"refresh_token": _some(32)}),
    "client secret": f"client_secret: {_some(24)}",
    "api_key yaml": f"api_key: {_some(24)}",
    "json web token": f"time=x msg={_jwt()} end",
    "json web token without a signature": f"token of a test: {'.'.join(_jwt().split('.')[:2])}.\n",
    "base64 json web token": _b64(f"token of the load: {_jwt()}"),
    "kubeconfig token": f"users:\n- name: u\n  user:\n    token: {_some(24)}\n",
    "kubeconfig bootstrap token": f"    token: {_some(6, string.ascii_lowercase + string.digits)}.{_some(16, string.ascii_lowercase + string.digits)}\n",
    "kubeconfig client-key-data": f"    client-key-data: {_CLIENT_KEY}\n",
    "kubeconfig in json": json.dumps({"users": [{"user": {"token": _some(24)}}]}),
    "openshift token": f"oc login --token=sha256~{_some(43)}",
    "service account token flag": f"kubectl --token {_some(32)} get pods",
    "secret manifest": f"kind: Secret\ndata:\n  password: {_b64(PASSWORD)}\n",
    "secret manifest, any name": "kind: Secret\nmetadata: {name: x}\ndata:\n" + f"  dsn: {_b64('postgresql://mlflow:' + PASSWORD + '@db/mlflow')}\n",
    "docker config auth": json.dumps({"auths": {"registry.example.com": {"auth": _DOCKER}}}),
    "dockerconfigjson": f"  .dockerconfigjson: {_b64(json.dumps({'auths': {'r': {'auth': _DOCKER}}}))}\n",
    "rsa key": _pem("RSA PRIVATE" + " KEY"),
    "pkcs8 key": _pem("PRIVATE" + " KEY"),
    "encrypted key": _pem("ENCRYPTED PRIVATE" + " KEY"),
    "openssh key": _pem("OPENSSH PRIVATE" + " KEY"),
    "pgp key": _pem("PGP PRIVATE" + " KEY BLOCK"),
    "key in json": json.dumps({"private_key": _pem("PRIVATE" + " KEY")}),
    "base64 pem": _b64(_pem("PRIVATE" + " KEY")),
    "base64 pem, wrapped": "\n".join(base64.encodebytes(_pem("PRIVATE" + " KEY").encode()).decode().splitlines()),
    "base64 pem, not aligned": _b64("xy" + _pem("RSA PRIVATE" + " KEY")),
    "putty key": "PuTTY-User-Key-" + "File-2: ssh-rsa\n",
    "aws access key": f"key AKIA{_some(16, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567')} here",
    "aws secret key": f"aws_secret_access_key = {_some(40, _LETTERS + '/+')}\n",
    "aws secret key in the environment": f"AWS_SECRET_ACCESS_KEY={_some(40, _LETTERS + '/+')}\n",
    "aws secret key json": json.dumps({"SecretAccessKey": _some(40, _LETTERS + "/+")}),
    "aws session token": f"aws_session_token = {_some(120, _LETTERS + '/+')}\n",
    "azure storage key": f"AccountKey={_some(86, _LETTERS + '+/')}==;EndpointSuffix=x",
    "google api key": f"key=AIza{_some(35)}",
    "google oauth token": f"ya29.{_some(60)}",
    "google client secret": f"GOCSPX-{_some(28)}",
    "github token": f"ghp_{_some(36)}",
    "github fine-grained token": f"github_pat_{_some(22)}_{_some(59)}",
    "gitlab token": f"glpat-{_some(20)}",
    "slack token": f"xoxb-{_some(11, string.digits)}-{_some(11, string.digits)}-{_some(24)}",
    "slack webhook": f"https://hooks.slack.com/services/T{_some(8)}/B{_some(8)}/{_some(24)}",
    "stripe key": f"sk_live_{_some(24)}",
    "sendgrid key": f"SG.{_some(22)}.{_some(43)}",
    "npm token": "//registry.npmjs.org/:_auth" + f"Token=npm_{_some(36)}",
    "pypi token": f"pypi-AgEIcHlwaS5vcmc{_some(80)}",
    "openai key": f"sk-{_some(20)}T3BlbkFJ{_some(20)}",
    "anthropic key": f"sk-ant-api03-{_some(93)}AA",
    "hugging face token": f"hf_{_some(34, string.ascii_letters)}",
    "databricks token": f"dapi{_hex(32)}",
    "vault token": f"hvs.{_some(90)}",
    "grafana token": f"glsa_{_some(32)}_{_hex(8)}",
    "docker hub token": f"dckr_pat_{_some(27)}",
    "digitalocean token": f"dop_v1_{_hex(64)}",
    "age key": f"AGE-SECRET-KEY-1{_some(58, string.ascii_uppercase + string.digits)}",
    "telegram token": f"bot{_some(9, '123456789')}:AA{_some(33)}",
    "twilio key": f"SK{_hex(32)}",
}
_LINE = f"password: {PASSWORD}\n"
# Where a secret hides: the bytes of the file.
PACKED: dict[str, bytes] = {
    "utf-16 with a mark": _LINE.encode("utf-16"),
    "utf-16, little endian": _LINE.encode("utf-16-le"),
    "utf-16, big endian": _LINE.encode("utf-16-be"),
    "utf-8 with a mark": b"\xef\xbb\xbf" + _LINE.encode(),
    "environment of a process": b"A=1\0PGPASSWORD=" + PASSWORD.encode() + b"\0B=2\0",
    "picture": b"\x89PNG\0\0tEXt" + _LINE.encode(),
    "gz": gzip.compress(_LINE.encode()),
    "gz in gz": gzip.compress(gzip.compress(_LINE.encode())),
    "xz": lzma.compress(_LINE.encode()),
    "lzma": lzma.compress(_LINE.encode(), format=lzma.FORMAT_ALONE),
    "bz2": bz2.compress(_LINE.encode()),
    "zip": _zip({"a.txt": b"nothing", "b.txt": _LINE.encode()}),
    "gz in zip": _zip({"b.txt.gz": gzip.compress(_LINE.encode())}),
    "zip in gz": gzip.compress(_zip({"b.txt": _LINE.encode()})),
    "utf-16 in xz": lzma.compress(_LINE.encode("utf-16")),
}

# No secrets: masked forms, names of files and settings, checksums, prose.
CLEAN: tuple[str, ...] = (
    "postgresql://mlflow:***@db:5432/mlflow",
    "postgresql://mlflow:********@db/mlflow",
    "postgresql://{user}:{pass}@db/mlflow",
    "postgresql://{{ user }}:{{ password }}@db/mlflow",
    "postgresql://<user>:<password>@db/mlflow",
    "postgresql://$USER:$PASSWORD@db/mlflow",
    "postgresql://${USER}:${PASSWORD}@db/mlflow",
    "postgresql://%s:%s@db/mlflow",
    "postgresql://user:(hidden)@db/mlflow",
    "http://127.0.0.1:5000/api@x",
    "https://mlflow.example.com:8443/mlflow",
    "user@example.com:22/path",
    "git@github.com:perfscale/mlflow.git",
    "password: ***",
    "password: '********'",
    "password: (hidden)",
    'password: "<password>"',
    "password: <token>",
    "password: $PASSWORD",
    "password: ${PASSWORD}",
    "password: $(cat file)",
    "password: {{ lookup('env', 'X') }}",
    "password: '{{ token }}'",
    "password: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER",
    "password: null",
    "password: !vault |",
    "password = get_password()",
    "self.password = password",
    "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef: {name: mlflow-db, key: password}",
    "- name: DB_PASSWORD\n  value: $(PASSWORD)",
    "docker run -p 127.0.0.1:8080:80 image",
    '"token_seconds": 3600, "tokens_per_s": 123456789012345',
    "checks_passed: 1234567, bypass: true-value-x",
    "secretKeyRef: {name: mlflow-db, key: uri}",
    "passwordSecretRef: my-secret-name",
    "password_env: PERFSCALE_OPENSEARCH_PASSWORD",
    'FATAL:  password authentication failed for user "mlflow"',
    "resourceVersion: 123456789",
    "password: REDACTED",
    "password: [MASKED]",
    "password: xxxxxxxx",
    "password: required",
    "password: no password is set for this server.",
    'password: "The password of the server, in a file."',
    '"password": "not set in this run"',
    'password: "your <password> here"',
    "password = '$USER and $PASSWORD'",
    '"token_file": "the file of the token"',
    "| password | str | (empty) | Password of the user |",
    "| `publish_password_env` | str | `PERFSCALE_PASSWORD` | its variable |",
    "| variable | password |\n| --- | --- |\n| DB | DB_PASSWORD |\n| other | /run/secrets/password |",
    "user,password\nmlflow,***\nmlflow,$PASSWORD\nmlflow,(hidden)",
    "cell,tokens\nt1-c10-r1,12345678",
    "password, token, key",
    "name,token\nt1,12345.678",
    "PGPASSWORD=*** psql",
    "PGPASSWORD=$(cat /run/secrets/password) psql",
    "password=%s user=%s",
    "password_file: /run/secrets/password",
    '"token_file": "/run/secrets/token", "token_mode": "per_tenant"',
    "token: /run/secrets/token",
    "tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token",
    '"secret": "perfscale-k6-access"',
    "secretName: perfscale-k6-access",
    "Authorization: Bearer <token>",
    "Authorization: Bearer $TOKEN",
    "Authorization: Bearer {{ token }}",
    "Authorization: Bearer ********",
    "Authorization: Basic ***",
    "Authorization: basic authentication",
    "Cookie: ***",
    "the bearer of this letter",
    "api_key: ${API_KEY}",
    "access_token=<hidden>",
    "client-key-data: REDACTED",
    "client-key-data: DATA+OMITTED",
    "https://user:password@host/path",
    "curl -u $USER:$PASSWORD https://x",
    "sha256:" + "a" * 64,
    '"sha256": "' + _hex(64) + '"',
    "image: docker.io/grafana/k6@sha256:" + _hex(64),
    "commit " + _hex(40),
    "eyJhbGciOiJ.eyJ",
    "AKIA",
    "MLFLOW_TOKEN was read from a file",
    "MLFLOW_TOKEN: a token of MLflow, or a file with one",
    "tokens: 12345678",
    "secrets: 3, tokens: 500, passwords: none",
    "name=password type=password autocomplete=off",
    base64.b64encode(bytes(range(256)) * 8).decode(),
    base64.b64encode(_RANDOM.randbytes(100000)).decode(),
    "http_req_duration,1764000000,12.5,,,,true,,GET,search,200,default,,,,,t1,search,",
    "2026-11-29T16:45:33Z 127.0.0.1:5432:mlflow connection received: host=127.0.0.1 port=42424",
    "xoxb-token",
    "sk-learn-0.1",
    "--token TOKEN",
    "--password PASSWORD",
)


def bomb(unpacked: int = 1 << 30) -> bytes:
    """Return a small gz that unpacks to this many zero bytes."""
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb") as packed:
        for _block in range(unpacked >> 20):
            packed.write(bytes(1 << 20))
    return stream.getvalue()


def nested(depth: int, data: bytes = b"password: unused1\n", pack: Callable[[bytes], bytes] = gzip.compress) -> bytes:
    """Return data packed this many times."""
    for _time in range(depth):
        data = pack(data)
    return data
