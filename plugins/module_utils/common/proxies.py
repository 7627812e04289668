# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxy the environment names for a URL, by the rules of k6, so that controller and load go the same way.

Source: golang.org/x/net/http/httpproxy, which Go programs use. HTTP_PROXY serves http, HTTPS_PROXY https, each in upper case before lower case;
NO_PROXY lists hosts (with all their subdomains), `.domains` (subdomains alone), addresses, networks (CIDR), each with a port if wanted, or `*`.
Loopback addresses never have a proxy.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
# What a process inherits that goes the way of the controller.
VARIABLES = (*NAMES, *(name.lower() for name in NAMES))
_PORTS = {"http": 80, "https": 443}


class ProxyError(ValueError):
    """A proxy that cannot be used; the text is one sentence without its password."""


class Proxy(NamedTuple):
    """A proxy: its URL without user information, and `user:password` or None."""

    url: str
    credentials: str | None


def environment_proxy(url: str, environment: Mapping[str, str] | None = None) -> Proxy | None:
    """Return the proxy of the environment for a URL, or None. Raises ProxyError."""
    variables = os.environ if environment is None else environment
    parts = urlsplit(url)
    name = f"{parts.scheme.upper()}_PROXY"
    value = _variable(variables, name) if name in NAMES else ""
    if not value or not parts.hostname or _is_exempt(parts.hostname, parts.port or _PORTS[parts.scheme], _variable(variables, "NO_PROXY")):
        return None
    return _proxy(value, f"Variable {name}")


def configured_proxy(text: str, name: str) -> str | None:
    """Return the URL of the proxy that an input `name` configures for the pod of the load generator, None for an empty text.

    It has no user information: the command that starts k6 in the pod carries it, and records and the pod's specification show it. Raises ProxyError.
    """
    if not text.strip():
        return None
    proxy = _proxy(text.strip(), name)
    if proxy.credentials:
        raise ProxyError(f"{name}: a proxy with user information, which the pod's specification would show. Name one that needs no login.")
    return proxy.url


def proxy_variables(proxy: str | None) -> dict[str, str]:
    """Return the environment of a program whose connections go through this proxy, {} without one."""
    return dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), proxy) if proxy else {}


def _variable(variables: Mapping[str, str], name: str) -> str:
    return (variables.get(name) or variables.get(name.lower()) or "").strip()


def _proxy(value: str, name: str) -> Proxy:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise ProxyError(f"{name}: not the URL of a proxy. Write it as http://host:port.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ProxyError(f"{name}: a proxy of kind {parts.scheme or 'unknown'}. Allowed: http, https.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    return Proxy(f"{parts.scheme}://{host}{port}", user)


def _is_exempt(host: str, port: int, no_proxy: str) -> bool:
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_matches(entry.strip().lower(), host.lower().rstrip("."), address, port) for entry in no_proxy.split(","))


def _matches(entry: str, host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None, port: int) -> bool:
    """Return whether an entry of NO_PROXY names a host."""
    if not entry:
        return False
    if entry == "*":
        return True
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, wanted_port = _without_port(entry)
    if wanted_port and wanted_port != str(port):
        return False
    if (wanted := _address(name)) is not None:
        return address == wanted
    name = name.removeprefix("*")
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")


def _without_port(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        name, _bracket, rest = entry[1:].partition("]")
        return name, rest.removeprefix(":")
    name, _colon, port = entry.rpartition(":")
    return (name, port) if name and ":" not in name else (entry, "")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
