"""What the platform's processes get of the environment of who starts it.

An operator's shell holds secrets (tokens, cloud keys) that are no business of processes which
tenants talk to. So only what is needed passes: where programs are, language and time zone, the
platform's own settings; and for those that reach out, proxies, certificate authorities and npm's
registry.
"""

from collections.abc import Mapping
from dataclasses import fields

from paas.settings import Settings

_LOCAL = {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH"}
_OUTWARD = {
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
    "ssl_cert_file",
    "ssl_cert_dir",
    "curl_ca_bundle",
    "requests_ca_bundle",
    "node_extra_ca_certs",
    "apt_config",
    "npm_config_registry",
    "npm_config_proxy",
    "npm_config_https_proxy",
    "npm_config_noproxy",
    "npm_config_cafile",
}
"""In lower case: programs read either."""
_OWN = {"PAAS_OPEN_RANGES"} | {f"PAAS_{field.name.upper()}" for field in fields(Settings)}


def local(environment: Mapping[str, str]) -> dict[str, str]:
    """For a process that only answers on this host's addresses: the router."""
    return {name: value for name, value in environment.items() if _is_local(name)}


def outward(environment: Mapping[str, str]) -> dict[str, str]:
    """For processes that fetch things: node and control."""
    passed = {name: value for name, value in environment.items() if name.lower() in _OUTWARD}
    return local(environment) | passed


def _is_local(name: str) -> bool:
    return name in _LOCAL or name in _OWN or name.startswith("LC_")
