# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts that have the form of a secret: forms of our own, and the tokens of services that the library detect-secrets recognizes.

Of the library only the regular expressions are used (`analyze_string`), never its verification, which would send what it found to the service. Its
detectors of keywords, entropy, addresses, URIs, web tokens and private keys are left out: checksums have high entropy, addresses are no secrets, and the
forms below find more of the others without the masked ones.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

# The library's name for missing_required_lib; it is imported when the first text is searched, since it costs a tenth of a second.
LIBRARY = "detect-secrets"
# Base64 in base64 is followed this far.
DEPTH = 2
# A match of one of the library's expressions is looked for this far (bytes) around the word that announces it.
_AROUND = 1 << 10
# A value of a field is looked for this far behind its name.
_NEAR = 1 << 13

# Names of fields, to the end of the name.
_FIELD = (
    rb"(?i:password|passwd|passphrase|pwd|[_-]pass|secret[_-]?(?:access[_-]?)?key|client[_-]?secret|api[_-]?key|auth[_-]?key|private[_-]?key"
    rb"|shared[_-]?(?:access[_-]?)?key|client-key-data|(?:access|refresh|id|session|auth|security)[_-]?token)"
)
# The same and more, in lower case, where a value follows: a quick first look, since a log may have the word token in every line.
_FIELD_GATE = re.compile(rb"(?:password|passwd|passphrase|pwd|[_-]pass|key|key-data|token|secret)\\{0,4}[\"']?\]?[ \t]{0,40}[:=>]")
_END = rb"\\{0,4}[\"']?\]?[ \t]{0,40}"
_FIELD_WORDS = (b"passw", b"passphrase", b"pwd", b"_pass", b"-pass", b"secret", b"key", b"token")
_TOKEN_CHARS = rb"[A-Za-z0-9._~+/=-]"

# What stands where a secret was or will be put.
_MASKED = re.compile(
    rb"""(?ix)
    .*\*{3} | .*\xe2\x80\xa2 | (.)\1+\Z                                        # stars, bullets, or one character repeated
    | [<{\[(] | .*\{\{ | \$[{(] | \$[a-z_]\w*\W*\Z | !\w+\Z | %(?:\(\w+\))?[a-z]\W*\Z    # <token>, {token}, {{ token }}, ${TOKEN}, $TOKEN, %s
    | \W*(?:hidden|redacted|masked|removed|omitted|censored|required|optional|string|unset|undefined|example|placeholder|changeit|data\+omitted)\W*\Z
    | \W*(?:none|null|true|false|empty|generated|default|lookup|value_specified_in_no_log_parameter)\W*\Z
    | \W*(?:your|my|the|a)?[_-]?(?:db|api|access|auth|bearer|client|secret|user)?[_-]?(?:password|passwd|token|secret|key)\W*\Z
    """,
    re.DOTALL,
)
_PROSE = re.compile(rb"(?i)^\W*(?:no|not|see|from|read|same|as|if|whether|is|was)\b|[.:]\s*\Z|[<{\[(]|\$[A-Za-z{(]|%s")
_VARIABLE = re.compile(rb"[A-Z][A-Z0-9_]*(?:PASSWORD|TOKEN|SECRET|KEY)(?:_[A-Z]+)*\Z")
_PATH = re.compile(
    rb"(?:~|\.{1,2})?/(?:run|var|etc|home|tmp|root|opt|usr|mnt|srv|dev|proc|secrets?|runner|data|path|[\w.-]+\.(?:token|key|txt|json|ya?ml))(?:/|\Z)"
)
# A call, an attribute or an index of a program.
_CODE = re.compile(rb"[A-Za-z_][\w.]*[(\[]|[a-z_]+(?:\.[a-z_]+)+\Z|(?:self|os|vars)\.")
_URI_PORT = re.compile(rb"\d{1,5}(?:[/?#,;)]|\Z)")
_URI_PLACEHOLDER = re.compile(rb"(?i)(?:user|username|name|u|me):(?:password|pass|passwd|pw|secret|p)\Z")
# A cell of a table that is the name of a field, in a row of which a quick first look saw one.
_CELL_NAME = re.compile(rb"(?i)[\w .-]{0,40}?(?:" + _FIELD + rb"|\btoken|\bsecret)")
_CELL_GATE = re.compile(
    rb"(?m)(?:^|[,;|\t])[ \"'`*]{0,8}(?:[\w.-]{1,40}[ _.-])?(?:password|passwd|passphrase|pwd|key|token|secret)[\"'`*]{0,4}[ \t]{0,80}(?:[,;|\t]|\r?$)"
)
_CELL_VALUE = re.compile(rb"\S{6,256}")
_CELL_MARKS = b" \t\r\"'`*"
_BASE64 = re.compile(rb"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{40,}")
_PRINTABLE = re.compile(rb"[\t\n\r -~]*\Z")


class Hit(NamedTuple):
    """A text that has the form of a secret: its kind, where it begins, and the value itself, which is shown nowhere."""

    kind: str
    start: int
    value: bytes


class Form(NamedTuple):
    """One form: words one of which every match has (searched in lower case, which is quick), the expression, and what rules a match out.

    The expression's last group, or else all of it, is the value.
    """

    kind: str
    words: tuple[bytes, ...]
    expression: re.Pattern[bytes]
    is_secret: Callable[[re.Match[bytes]], bool]

    def matches(self, text: bytes, spans: Iterable[tuple[int, int]]) -> Iterator[re.Match[bytes]]:
        """Yield the secrets in some spans of a text."""
        for start, end in spans:
            for match in self.expression.finditer(text, start, end):
                if self.is_secret(match):
                    yield match


def is_masked(value: bytes) -> bool:
    """Return whether a text only stands for a secret: `***`, `(hidden)`, `<token>`, `$TOKEN`, `{{ token }}`, a word for it, the path of a file with it."""
    return bool(_MASKED.match(value) or _VARIABLE.match(value) or _PATH.match(value))


def _value(match: re.Match[bytes]) -> bytes:
    return next((group for group in reversed(match.groups()) if group is not None), match[0])


def _always(_match: re.Match[bytes]) -> bool:
    return True


def _is_given(match: re.Match[bytes]) -> bool:
    return not is_masked(_value(match)) and not _CODE.match(_value(match))


def _is_random(match: re.Match[bytes]) -> bool:
    """Return whether a value looks generated: letters and digits, and not a name of words and short numbers such as perfscale-k6-access."""
    value = _value(match)
    has_both = re.search(rb"[0-9]", value) and re.search(rb"[A-Za-z]", value)
    is_name = all(part.isalpha() or len(part) <= 4 for part in re.split(rb"[-_./:+=~]", value))
    return bool(has_both) and not is_name and _is_given(match)


def _is_token(match: re.Match[bytes]) -> bool:
    """Return whether a value looks generated, or is too long for a word."""
    value = _value(match)
    return _is_random(match) or (len(value) >= 20 and value.isalnum() and _is_given(match))


def _is_mixed(match: re.Match[bytes]) -> bool:
    """Return whether a value is no word of a sentence: a digit or a sign is in it."""
    return bool(re.search(rb"[0-9!@#$%^*+=?_|~]", _value(match))) and _is_given(match)


def _is_phrase(match: re.Match[bytes]) -> bool:
    """Return whether a value with blanks may be a password: a few words that are no beginning or end of a sentence."""
    value = _value(match)
    return b" " in value.strip() and len(value.split()) <= 8 and not _PROSE.search(value) and _is_given(match)


def _is_credentials(match: re.Match[bytes]) -> bool:
    """Return whether a value is the base64 of user:password."""
    decoded = _decoded(_value(match))
    return decoded is not None and b":" in decoded[1:-1] and bool(_PRINTABLE.match(decoded)) and not is_masked(decoded.partition(b":")[2])


def _is_uri(match: re.Match[bytes]) -> bool:
    user, password = match.groups()
    return not (_URI_PORT.match(password) or is_masked(password) or _URI_PLACEHOLDER.match(user + b":" + password))


def _form(kind: str, words: tuple[bytes, ...], expression: bytes, is_secret: Callable[[re.Match[bytes]], bool] = _always) -> Form:
    return Form(kind, words, re.compile(expression), is_secret)


_FORMS: tuple[Form, ...] = (
    # https://www.rfc-editor.org/rfc/rfc7519: base64url of '{"', twice, and a signature, which may be empty.
    _form("a JSON web token", (b"eyj",), rb"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.(?:[A-Za-z0-9_-]{16,}|(?![A-Za-z0-9_-]))"),
    # https://www.rfc-editor.org/rfc/rfc7468 and https://www.rfc-editor.org/rfc/rfc9580 (PGP)
    _form("a private key", (b"private key",), rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    _form("a private key", (b"putty-user-key-file",), rb"PuTTY-User-Key-File-\d"),
    _form("a private key", (b"age-secret-key-",), rb"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    # https://www.rfc-editor.org/rfc/rfc3986, 3.2.1; libraries take passwords with a slash as well.
    _form("a URI with a password", (b"://",), rb"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://([^\s/:@\"'<>\\]{0,128}):([^\s\"'<>\\]{3,256})@[A-Za-z0-9\[]", _is_uri),
    _form("a URI with a token", (b"://",), rb"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://([^\s/:@\"'<>\\]{20,256})@[A-Za-z0-9\[]", _is_random),
    _form("a URI with a token", (b"sig",), rb"[?&](?i:x-amz-signature|x-goog-signature|signature|sig)=([A-Za-z0-9%+/=_-]{20,})", _is_random),
    _form("a bearer token in a header", (b"bearer",), rb"(?i)\bbearer[\"']?[ :=]+[\"']?(" + _TOKEN_CHARS + rb"{16,})", _is_given),
    _form("a bearer token in a header", (b"bearer",), rb"(?i)\bbearer[\"']?[ :=]+[\"']?(" + _TOKEN_CHARS + rb"{8,15})(?![A-Za-z0-9._~+/=-])", _is_random),
    _form("a password in a header", (b"basic",), rb"(?i)authorization\\*[\"']?\s*[:=]\s*\\*[\"'\[]?basic\s+([A-Za-z0-9+/]{8,}={0,2})", _is_credentials),
    _form("a token in a header", (b"authorization",), rb"(?i)authorization\\*[\"']?\s*[:=]\s*\\*[\"']?(?:token|apikey)[ =]+[\"']?([^\s\"']{8,})", _is_mixed),
    _form("a cookie", (b"cookie",), rb"(?i)cookie\\*[\"']?\s*[:=]\s*\\*[\"']?(?:[\w.-]+=[^\s;,\"']{0,15};\s*)*[\w.-]+=([^\s;,\"']{16,})", _is_random),
    _form("credentials of a registry", (b"auth",), rb"(?<![A-Za-z0-9])_?auth\\*[\"']?\s*[:=]\s*\\*[\"']?([A-Za-z0-9+/]{8,}={0,2})", _is_credentials),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    _form("an AWS access key", (b"akia", b"asia"), rb"(?<![A-Za-z0-9/+])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9/+])"),
    # OpenShift's OAuth server.
    _form("an OpenShift token", (b"sha256~",), rb"\bsha256~[A-Za-z0-9_-]{40,}"),
    _form("a GitHub token", (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"), rb"\bgh[pousr]_[A-Za-z0-9]{36,}"),
    _form("a GitHub token", (b"github_pat_",), rb"\bgithub_pat_[A-Za-z0-9_]{40,}"),
    # https://cloud.google.com/docs/authentication: API keys, OAuth access tokens, client secrets.
    _form("a Google key", (b"aiza",), rb"(?<![A-Za-z0-9_-])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    _form("a Google token", (b"ya29.",), rb"(?<![A-Za-z0-9_-])ya29\.[A-Za-z0-9_-]{20,}"),
    _form("a Google token", (b"1//0",), rb"(?<![A-Za-z0-9_/-])1//0[A-Za-z0-9_-]{40,}"),
    _form("a Google client secret", (b"gocspx-",), rb"(?<![A-Za-z0-9_-])GOCSPX-[A-Za-z0-9_-]{28}"),
    # Tokens that begin with a name of their service, as its documentation says.
    _form("an API key", (b"sk-ant-", b"sk-proj-"), rb"(?<![A-Za-z0-9_-])sk-(?:ant|proj)-[A-Za-z0-9_-]{40,}"),
    _form("a Hugging Face token", (b"hf_",), rb"(?<![A-Za-z0-9_-])hf_[A-Za-z]{34}(?![A-Za-z0-9])"),
    _form("a Databricks token", (b"dapi",), rb"(?<![A-Za-z0-9_-])dapi[0-9a-f]{32}(?:-\d)?(?![A-Za-z0-9])"),
    _form("a Vault token", (b"hvs.", b"hvb."), rb"(?<![A-Za-z0-9_-])hv[sb]\.[A-Za-z0-9_-]{24,}"),
    _form("a Grafana token", (b"glsa_",), rb"(?<![A-Za-z0-9_-])glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}"),
    _form("a Docker token", (b"dckr_pat_", b"dckr_oat_"), rb"(?<![A-Za-z0-9_-])dckr_[po]at_[A-Za-z0-9_-]{27,}"),
    _form("a DigitalOcean token", (b"dop_v1_", b"doo_v1_", b"dor_v1_"), rb"(?<![A-Za-z0-9_-])do[por]_v1_[a-f0-9]{64}"),
    _form("a Slack token", (b"xapp-", b"xoxe"), rb"(?<![A-Za-z0-9_-])(?:xapp-\d-[A-Z0-9]+-\d+-[a-z0-9]+|xoxe(?:\.xox[bp])?-\d-[A-Za-z0-9]{100,})"),
    _form("a password of a command", (b"--",), rb"(?i)--[\w-]{0,40}(?:password|passwd|token|secret|key)[ \t]+[\"']?([^\s\"'<>-][^\s\"'<>]{5,4096})", _is_mixed),
    _form("a password of a command", (b"curl",), rb"\bcurl\b[^\n|]{0,400}? (?:-u|--user)[ =]?[\"']?[^\s:\"']{1,128}:([^\s\"']{3,256})", _is_given),
    # https://www.postgresql.org/docs/current/libpq-pgpass.html
    # https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html
    _form("a line of a password file", (b":",), rb"(?m)^[\w.*-]{1,128}:(?:\d{4,5}|\*):[\w*-]{1,64}:[\w-]{1,64}:([^\s:]{6,256})[ \t\r]*$", _is_given),
    _form("a line of a password file", (b"login",), rb"\blogin\s+\S{1,128}\s+password\s+(\S{4,256})", _is_given),
    _form("a password in a statement", (b"password", b"identified"), rb"(?i)\b(?:password|identified by)\s+'([^'\s]{4,256})'", _is_given),
    # https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables
    _form(
        "a password in a variable",
        (b"value",),
        rb"(?i)name\\*[\"']?\s*:\s*\\*[\"']?\w*(?:password|passwd|secret|token|_key|_pwd)\\*[\"']?\s*,?"
        rb"\s*\\*[\"']?value\\*[\"']?\s*:\s*\\*[\"']?([^\s\"']{6,4096})",
        _is_given,
    ),
    _form("a password in a variable", (b"env ", b"arg "), rb"\b(?:ENV|ARG|SetEnv)[ \t]+\w*(?:PASSWORD|SECRET|TOKEN|_KEY)[ \t]+(\S{6,256})", _is_mixed),
    _form("a password of a command", (b" login",), rb"\b(?:oc|docker|podman|skopeo) login\b[^\n|]{0,400}? -p[ =]?[\"']?([^\s\"']{6,256})", _is_given),
    _form("a password of a command", (b"sshpass", b"mysql"), rb"\b(?:sshpass|mysql)\b[^\n|]{0,400}? -p ?[\"']?([^\s\"'-][^\s\"']{5,256})", _is_mixed),
    # https://man7.org/linux/man-pages/man5/crypt.5.html, https://www.postgresql.org/docs/current/catalog-pg-authid.html
    _form("a password hash", (b"scram-sha-256$",), rb"SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]{16,}"),
    _form("a password hash", (b"md5",), rb"(?<![A-Za-z0-9])md5[0-9a-f]{32}(?![A-Za-z0-9])"),
    _form("a password hash", (b"$",), rb"(?<![A-Za-z0-9])\$(?:[156]|2[abxy]|y|gy|argon2id?)\$[A-Za-z0-9./$,=+-]{30,}"),
)

# Words in quotes; quoted; after an equals sign; alone in a line of YAML or of headers; within a line; in XML; variables; tokens.
_FIELDS: tuple[Form, ...] = (
    _form(
        "a password in a field",
        (),
        _FIELD + _END + rb"(?::=|=>|[:=])[ \t]{0,40}\\{0,4}(?:\"([^\"\\\r\n]{6,256})\\{0,4}\"|'([^'\\\r\n]{6,256})\\{0,4}')",
        _is_phrase,
    ),
    _form("a password in a field", (), _FIELD + _END + rb"(?::=|=>|[:=])[ \t]{0,40}\\{0,4}(?:\"([^\"\s]{6,4096})\"|'([^'\s]{6,4096})')", _is_given),
    _form("a password in a field", (), _FIELD + _END + rb"=[ \t]{0,40}([^\s\"'&;<>]{6,4096})", _is_given),
    _form(
        "a password in a field",
        (),
        rb"(?m)^[ \t>+|-]{0,80}[\"']?[\w./-]{0,80}" + _FIELD + rb"[\"']?:[ \t]+([^\s\"'&|>@`][^\s\"']{5,4096})[ \t\r]*(?:#.*)?$",
        _is_given,
    ),
    _form("a password in a field", (), _FIELD + _END + rb":[ \t]{0,40}([^\s\"'&;,<>]{6,4096})", _is_mixed),
    _form("a password in a field", (), rb"(?i)<((?:[\w:.-]{0,80})" + _FIELD + rb")>([^<\s]{6,256})</\1>", _is_given),
    _form("a password in a field", (), rb"[A-Z0-9]_SECRET[\"']?[ \t]*[:=][ \t]*[\"']?([^\s\"'&;<>]{8,4096})", _is_random),
    _form("a token in a field", (), rb"(?i)(?:\b|[_-])token" + _END + rb"[:=][ \t]{0,40}\\{0,4}[\"']?(" + _TOKEN_CHARS + rb"{12,4096})", _is_token),
)

# Kind, words as above (with a capital letter: searched as they are), module and class of the library.
_LIBRARY_FORMS: tuple[tuple[str, tuple[bytes, ...], str, str], ...] = (
    ("an Azure storage key", (b"accountkey=",), "azure_storage_key", "AzureStorageKeyDetector"),
    ("a Cloudant key", (b"cloudant",), "cloudant", "CloudantDetector"),
    ("a GitLab token", (b"glpat-", b"gldt-", b"glft-", b"glsoat-", b"glrt-", b"glcbt-", b"glimt-", b"glptt-"), "gitlab_token", "GitLabTokenDetector"),
    ("a GitLab token", (b"glagent-", b"gloas-", b"gr1348941"), "gitlab_token", "GitLabTokenDetector"),
    ("an IBM storage key", (b"secret",), "ibm_cos_hmac", "IbmCosHmacDetector"),
    ("a Mailchimp key", (b"-us",), "mailchimp", "MailchimpDetector"),
    ("an npm token", (b"_authtoken",), "npm", "NpmDetector"),
    ("an API key", (b"t3blbkfj",), "openai", "OpenAIDetector"),
    ("a PyPI token", (b"pypi-age",), "pypi_token", "PypiTokenDetector"),
    ("a SendGrid key", (b"SG.",), "sendgrid", "SendGridDetector"),
    ("a Slack token", (b"xox", b"hooks.slack.com"), "slack", "SlackDetector"),
    ("a SoftLayer key", (b"softlayer",), "softlayer", "SoftlayerDetector"),
    ("a Square secret", (b"sq0csp-",), "square_oauth", "SquareOAuthDetector"),
    ("a Stripe key", (b"k_live_",), "stripe", "StripeDetector"),
    ("a Telegram token", (b":AA",), "telegram_token", "TelegramBotTokenDetector"),
    ("a Twilio key", (b"AC", b"SK"), "twilio", "TwilioKeyDetector"),
)
# A sign that a text is escaped, and how it is read.
_ESCAPES: dict[bytes, Callable[[bytes], bytes]] = {
    b"%3a%2f%2f": unquote_to_bytes,
    b"&quot;": lambda text: text.replace(b"&quot;", b'"').replace(b"&#34;", b'"').replace(b"&#39;", b"'").replace(b"&amp;", b"&"),
    b":\\/\\/": lambda text: text.replace(b"\\/", b"/"),
}
_detectors: dict[str, Any] = {}


def library_error() -> str | None:
    """Return the traceback of importing the library, or None."""
    try:
        import detect_secrets.plugins.base  # noqa: F401 # pylint: disable=unused-import
    except ImportError:
        return traceback.format_exc()
    return None


def find(text: bytes, depth: int = DEPTH) -> Iterator[Hit]:
    """Yield what has the form of a secret, also in base64; the same place can come more than once."""
    lowered = text.lower()
    everything = [(0, len(text))]
    for form in _FORMS:
        if any(word in lowered for word in form.words):
            for match in form.matches(text, everything):
                yield Hit(form.kind, match.start(), _value(match))
    if any(word in lowered for word in _FIELD_WORDS):
        fields = list(_field_lines(lowered))
        for form in _FIELDS:
            for match in form.matches(text, fields):
                yield Hit(form.kind, match.start(), _value(match))
        yield from _table_hits(text, lowered)
    yield from _library_hits(text, lowered)
    if depth:
        yield from _escaped_hits(text, lowered, depth)
        yield from _base64_hits(text, depth)


def _field_lines(lowered: bytes) -> Iterator[tuple[int, int]]:
    """Yield the lines in which a value follows the name of a secret, of long ones what is near the name."""
    at = 0
    while match := _FIELD_GATE.search(lowered, at):
        start = max(lowered.rfind(b"\n", 0, match.start()) + 1, at, match.start() - _AROUND)
        end = lowered.find(b"\n", match.end())
        at = min(end if end >= 0 else len(lowered), match.end() + _NEAR)
        yield start, at


def _table_hits(text: bytes, lowered: bytes) -> Iterator[Hit]:
    """Yield the values of tables (Markdown, CSV): beside the name of a field, and in the rows below it, of the same number of cells."""
    at = 0
    while match := _CELL_GATE.search(lowered, at):
        start = lowered.rfind(b"\n", 0, match.end() - 1) + 1
        rows = text[start : start + _NEAR].split(b"\n")
        at = max(start + len(rows[0]), match.end())
        separator = next((mark for mark in (b"|", b"\t", b";", b",") if mark in rows[0]), None)
        if separator is None:
            continue
        names = rows[0].split(separator)
        columns = [index for index, name in enumerate(names) if _CELL_NAME.fullmatch(name.strip(_CELL_MARKS))]
        offset = start
        for number, row in enumerate(rows):
            cells = row.split(separator)
            if len(cells) != len(names):
                break
            for index in columns:
                value = b"".join(cells[index + 1 : index + 2] if number == 0 else cells[index : index + 1]).strip(_CELL_MARKS)
                found = _CELL_VALUE.fullmatch(value)
                if found and _is_random(found):
                    yield Hit("a password in a table", offset + row.find(value), value)
            offset += len(row) + 1


def _library_hits(text: bytes, lowered: bytes) -> Iterator[Hit]:
    for kind, words, module, name in _LIBRARY_FORMS:
        for start, window in _windows(text, lowered, words):
            for found in _detector(module, name).analyze_string(window):
                value = found.encode("latin-1")
                yield Hit(kind, text.find(value, start) if value in text[start:] else start, value)


def _windows(text: bytes, lowered: bytes, words: tuple[bytes, ...]) -> Iterator[tuple[int, str]]:
    """Yield the surroundings of words within their line, with where they begin."""
    for word in words:
        searched = lowered if word == word.lower() else text
        at = searched.find(word)
        while at >= 0:
            start = max(text.rfind(b"\n", 0, at) + 1, at - _AROUND)
            end = text.find(b"\n", at)
            end = min(end if end >= 0 else len(text), at + _AROUND)
            yield start, text[start:end].decode("latin-1")
            # A value that is cut by the end of this window lies whole in the next one.
            at = searched.find(word, at + _AROUND // 2)


def _detector(module: str, name: str) -> Any:
    if name not in _detectors:
        _detectors[name] = getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), name)()
    return _detectors[name]


def _escaped_hits(text: bytes, lowered: bytes, depth: int) -> Iterator[Hit]:
    """Yield what is found once the escapes of URLs, HTML and JSON are gone."""
    for word, unescape in _ESCAPES.items():
        for start, window in _windows(text, lowered, (word,)):
            for hit in find(unescape(window.encode("latin-1")), depth - 1):
                yield Hit(hit.kind, start, hit.value)


def _base64_hits(text: bytes, depth: int) -> Iterator[Hit]:
    for match in _BASE64.finditer(text):
        # Pictures and checksums end here: what they decode to is no text.
        beginning = _decoded(match[0][:40])
        if beginning is None or not _PRINTABLE.match(beginning):
            continue
        decoded = _decoded(match[0])
        if decoded is not None:
            for hit in find(decoded, depth - 1):
                yield Hit(f"{hit.kind} in base64", match.start(), match[0])


def _decoded(value: bytes) -> bytes | None:
    """Return what base64 or base64url holds, or None; a rest that is no whole group of four is left out."""
    value = value.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    usable = value[: len(value) - (len(value) % 4 == 1)]
    try:
        return base64.b64decode(usable + b"=" * (-len(usable) % 4), validate=True)
    except binascii.Error:
        return None
