# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options by which the modules reach a cluster."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of module_utils/kubernetes/options.py, which are those of kubernetes.core.

    Its own fragment would be enough, were it not that a Galaxy or Automation Hub reads documentation where no other collection is installed.
    """

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig, or its content as a dictionary. E(K8S_AUTH_KUBECONFIG) sets it too.
      - Without it and without O(host) the client uses the service account of its pod, or else E(KUBECONFIG) or C(~/.kube/config).
    type: raw
  context:
    description: Context of the kubeconfig. E(K8S_AUTH_CONTEXT) sets it too.
    type: str
  host:
    description: URL of the API server. E(K8S_AUTH_HOST) sets it too.
    type: str
  api_key:
    description: Bearer token. E(K8S_AUTH_API_KEY) sets it too.
    type: str
  username:
    description: Name for basic authentication, where an API server offers it. E(K8S_AUTH_USERNAME) sets it too.
    type: str
  password:
    description: Password that belongs to O(username). E(K8S_AUTH_PASSWORD) sets it too.
    type: str
  validate_certs:
    description: Whether the certificate of the API server is verified. E(K8S_AUTH_VERIFY_SSL) sets it too.
    type: bool
    aliases: [verify_ssl]
  ca_cert:
    description: PEM file with the CA certificates to trust. E(K8S_AUTH_SSL_CA_CERT) sets it too.
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description: Certificate of the client. E(K8S_AUTH_CERT_FILE) sets it too.
    type: path
    aliases: [cert_file]
  client_key:
    description: Key of O(client_cert). E(K8S_AUTH_KEY_FILE) sets it too.
    type: path
    aliases: [key_file]
  proxy:
    description: URL of an HTTP proxy. E(K8S_AUTH_PROXY) sets it too. Without it the proxy of E(HTTPS_PROXY) and E(NO_PROXY) is used.
    type: str
  no_proxy:
    description: Hosts, domains and networks that are reached without O(proxy), separated by commas. E(K8S_AUTH_NO_PROXY) sets it too.
    type: str
  proxy_headers:
    description: Headers for O(proxy).
    type: dict
    suboptions:
      proxy_basic_auth:
        description: User and password for the proxy, with a colon between them. E(K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH) sets it too.
        type: str
      basic_auth:
        description: User and password for the server, with a colon between them. E(K8S_AUTH_PROXY_HEADERS_BASIC_AUTH) sets it too.
        type: str
      user_agent:
        description: The user agent of the client. E(K8S_AUTH_PROXY_HEADERS_USER_AGENT) sets it too.
        type: str
  persist_config:
    description: Whether tokens that were refreshed are written back to the kubeconfig. E(K8S_AUTH_PERSIST_CONFIG) sets it too.
    type: bool
  impersonate_user:
    description: User to act as. E(K8S_AUTH_IMPERSONATE_USER) sets it too.
    type: str
  impersonate_groups:
    description: Groups to act as. E(K8S_AUTH_IMPERSONATE_GROUPS) sets them too, separated by commas.
    type: list
    elements: str
"""
