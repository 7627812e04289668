# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connected client of the cluster for a module's options, through the `kubernetes` package."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.proxies import VARIABLES, environment_proxy
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import complete, connection_params

try:
    import kubernetes
    import urllib3
except ImportError:  # the modules report it with missing_required_lib
    kubernetes = None  # type: ignore[assignment]
    MISSING: str | None = traceback.format_exc()
else:
    MISSING = None

# For missing_required_lib.
LIBRARIES = "kubernetes"
# The name of each option in kubernetes.client.Configuration.
_ATTRIBUTES = {
    "host": "host",
    "username": "username",
    "password": "password",
    "validate_certs": "verify_ssl",
    "ca_cert": "ssl_ca_cert",
    "client_cert": "cert_file",
    "client_key": "key_file",
    "proxy": "proxy",
    "no_proxy": "no_proxy",
}
# With one of these beside a host neither a kubeconfig nor the pod's service account is needed.
_CREDENTIALS = (("api_key",), ("username", "password"), ("client_cert", "client_key"))


def cluster_from(params: Mapping[str, Any], connections: int = 8) -> Cluster:
    """Return the client for a module's parameters. Raises ClusterError on unusable ones."""
    return connect(connection_params(params), connections)


def connect(options: Mapping[str, Any], connections: int = 8) -> Cluster:
    """Return the client for connection options; absent ones come from K8S_AUTH_*, the pod's service account or the kubeconfig.

    Raises ClusterError when there is no usable configuration. Nothing is sent yet.
    """
    given = complete(options)
    try:
        return Cluster(_configuration(given), connections, _impersonation(given))
    except Exception as error:  # the client library raises any error of its parser, also AttributeError
        text = " ".join(str(error).split()) or type(error).__name__
        raise ClusterError(f"Kubernetes: no usable configuration ({text}). Set KUBECONFIG, K8S_AUTH_KUBECONFIG, or host and api_key.") from error


def _configuration(options: Mapping[str, Any]) -> Any:
    """Return the client library's Configuration: that of the kubeconfig or of the pod, overridden by the options."""
    configuration = kubernetes.client.Configuration()
    if not (options.get("host") and any(all(options.get(name) for name in names) for names in _CREDENTIALS)):
        _load(configuration, options)
    _override(configuration, options)
    _choose_proxy(configuration, options)
    refresh = configuration.refresh_api_key_hook
    if refresh:

        def refresh_and_override(current: Any) -> None:
            # The library's hook sets everything from the kubeconfig, not only the token.
            refresh(current)
            _override(current, options)
            current.refresh_api_key_hook = refresh_and_override

        configuration.refresh_api_key_hook = refresh_and_override
    return configuration


def _choose_proxy(configuration: Any, options: Mapping[str, Any]) -> None:
    """Set the proxy by the rules of all HTTP clients here, unless an option or the kubeconfig names one.

    The client library has rules of its own for the environment, its client of websockets others.
    """
    named = [os.environ[name] for name in (*VARIABLES, "ALL_PROXY", "all_proxy") if os.environ.get(name)]
    if options.get("proxy") or not named or configuration.proxy not in (None, *named):
        return
    proxy = environment_proxy(configuration.host)
    if proxy is None:
        # A proxy that is not used for this host: without any, the client of websockets would look for one itself.
        configuration.proxy, configuration.no_proxy = named[0], urlsplit(configuration.host).hostname
        return
    configuration.proxy, configuration.no_proxy = proxy.url, None
    if proxy.credentials and not configuration.proxy_headers:
        configuration.proxy_headers = urllib3.util.make_headers(proxy_basic_auth=proxy.credentials)


def _override(configuration: Any, options: Mapping[str, Any]) -> None:
    """Apply the options to a Configuration."""
    for name, attribute in _ATTRIBUTES.items():
        if name in options:
            setattr(configuration, attribute, options[name])
    if options.get("api_key"):
        configuration.api_key = {"authorization": f"Bearer {options['api_key']}"}
    elif options.get("username") and options.get("password"):
        configuration.api_key = {"authorization": configuration.get_basic_auth_token()}
    if options.get("proxy_headers"):
        configuration.proxy_headers = urllib3.util.make_headers(**options["proxy_headers"])


def _load(configuration: Any, options: Mapping[str, Any]) -> None:
    """Read a kubeconfig; a default one only if there is no pod's service account."""
    settings = {"context": options.get("context"), "persist_config": options.get("persist_config"), "client_configuration": configuration}
    kubeconfig = options.get("kubeconfig")
    if not kubeconfig and not options.get("context"):
        try:
            kubernetes.config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except kubernetes.config.ConfigException:
            pass
        else:
            return
    if isinstance(kubeconfig, Mapping):
        kubernetes.config.load_kube_config_from_dict(config_dict=dict(kubeconfig), **settings)  # type: ignore[no-untyped-call]
    else:
        kubernetes.config.load_kube_config(config_file=kubeconfig or None, **settings)  # type: ignore[no-untyped-call]


def _impersonation(options: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Return the headers by which an authorized user acts as another (https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/)."""
    headers = {"Impersonate-User": options.get("impersonate_user"), "Impersonate-Group": options.get("impersonate_groups")}
    return {name: value for name, value in headers.items() if value}
