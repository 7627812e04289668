# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which URL goes through which proxy; the cases of NO_PROXY are those of golang.org/x/net/http/httpproxy (proxy_test.go)."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.proxies import (
    Proxy,
    ProxyError,
    configured_proxy,
    environment_proxy,
    proxy_variables,
)

PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        pytest.param({"http_proxy": PROXY}, "http://a.example/x", Proxy(PROXY, None), id="by scheme"),
        pytest.param({"http_proxy": PROXY}, "https://a.example/x", None, id="other scheme"),
        pytest.param({"HTTPS_PROXY": PROXY}, "https://a.example/x", Proxy(PROXY, None), id="upper case"),
        pytest.param({"HTTP_PROXY": PROXY, "http_proxy": "http://other"}, "http://a.example", Proxy(PROXY, None), id="upper case first"),
        pytest.param({"http_proxy": "proxy:3128"}, "http://a.example", Proxy(PROXY, None), id="without scheme"),
        pytest.param({"http_proxy": "http://u:p%3A%40@proxy:3128/"}, "http://a.example", Proxy(PROXY, "u:p:@"), id="login"),
        pytest.param({"http_proxy": "http://[fd00::1]:8080"}, "http://a.example", Proxy("http://[fd00::1]:8080", None), id="IPv6"),
        pytest.param({"all_proxy": PROXY, "ALL_PROXY": PROXY}, "http://a.example", None, id="not all_proxy, as in Go"),
        pytest.param({"http_proxy": " "}, "http://a.example", None, id="blank"),
    ],
)
def test_the_proxy_of_a_url(environment, url, proxy):
    assert environment_proxy(url, environment) == proxy


@pytest.mark.parametrize(
    ("no_proxy", "host", "is_exempt"),
    [
        pytest.param("", "127.0.0.1:9090", True, id="loopback"),
        pytest.param("", "127.8.8.8", True, id="loopback network"),
        pytest.param("", "[::1]", True, id="loopback IPv6"),
        pytest.param("", "localhost", True, id="localhost"),
        pytest.param("example.com", "example.com", True, id="host"),
        pytest.param("example.com", "Api.Example.com", True, id="subdomain, any case"),
        pytest.param("example.com", "badexample.com", False, id="not a mere ending"),
        pytest.param(".example.com", "api.example.com", True, id="dot: subdomain"),
        pytest.param(".example.com", "example.com", False, id="dot: not the domain itself"),
        pytest.param("*.example.com", "api.example.com", True, id="asterisk and dot"),
        pytest.param("10.0.0.0/8", "10.4.9.1", True, id="network"),
        pytest.param("10.0.0.0/8", "11.4.9.1", False, id="another network"),
        pytest.param("10.0.0.0/8", "ten.example", False, id="network and a name"),
        pytest.param("fd00::/8", "[fd12::5]:443", True, id="IPv6 network"),
        pytest.param("192.168.7.1", "192.168.7.1", True, id="address"),
        pytest.param("192.168.7.1:9090", "192.168.7.1:9090", True, id="port"),
        pytest.param("192.168.7.1:9090", "192.168.7.1", False, id="another port"),
        pytest.param("a.example:80", "a.example", True, id="default port"),
        pytest.param(" b.example , a.example ", "a.example", True, id="blanks"),
        pytest.param("10.0.0.0/99,a.example", "a.example", True, id="nonsense beside"),
        pytest.param("*", "a.example", True, id="everything"),
    ],
)
def test_exempt_hosts(no_proxy, host, is_exempt):
    found = environment_proxy(f"http://{host}/x", {"HTTP_PROXY": PROXY, "NO_PROXY": no_proxy})
    assert (found is None) == is_exempt
    assert environment_proxy("http://mlflow.example/", {"HTTP_PROXY": PROXY, "no_proxy": no_proxy.replace("*", "+")}) == Proxy(PROXY, None)


@pytest.mark.parametrize("proxy", ["socks5://u:secretpw@p:1080", "http://u:secretpw@p:port", "http://"])
def test_unusable_proxies_are_named_without_their_password(proxy):
    with pytest.raises(ProxyError, match=r"^Variable HTTP_PROXY: ") as caught:
        environment_proxy("http://a.example", {"HTTP_PROXY": proxy})
    assert "secretpw" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        pytest.param("", None, id="none"),
        pytest.param("  ", None, id="blank"),
        pytest.param("proxy.example", "http://proxy.example", id="host"),
        pytest.param(" https://proxy.example:3128/ ", "https://proxy.example:3128", id="url"),
    ],
)
def test_the_proxy_of_an_input(text, url):
    assert configured_proxy(text, "Proxy of the pod") == url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("http://u:secretpw@p:3128", "a proxy with user information", id="user"),
        pytest.param("socks5://u:secretpw@p:3128", "a proxy of kind socks5", id="kind"),
    ],
)
def test_a_proxy_that_cannot_be_configured_is_named_without_its_password(text, problem):
    with pytest.raises(ProxyError, match=rf"^Proxy of the pod: {problem}") as caught:
        configured_proxy(text, "Proxy of the pod")
    assert "secretpw" not in str(caught.value)


def test_the_environment_of_a_proxy_is_read_back():
    assert environment_proxy("http://a.example", proxy_variables(PROXY)) == environment_proxy("https://a.example", proxy_variables(PROXY)) == Proxy(PROXY, None)
    assert proxy_variables(None) == {}
