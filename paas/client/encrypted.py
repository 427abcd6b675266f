"""The way to a platform over TLS, through a proxy's tunnel where the environment names one."""

import base64
import http.client
import ssl
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from paas.client.endpoint import is_loopback
from paas.client.keepalive import keep_alive
from paas.errors import UserError


class Encrypted(http.client.HTTPSConnection):
    failures: tuple[type[Exception], ...] = (OSError, http.client.HTTPException)

    def connect(self) -> None:
        super().connect()
        keep_alive(self.sock)


def connection(host: str, port: int | None) -> "Encrypted":
    """TLS, checked against the system's authorities; through the tunnel of the proxy that the
    environment names, unless it is this machine. The proxy sees no token.
    """
    context = ssl.create_default_context()
    proxy = None if is_loopback(host) else _proxy(host)
    if proxy is None:
        return Encrypted(host, port, context=context)
    tunnelled = Encrypted(proxy[0], proxy[1], context=context)
    tunnelled.set_tunnel(host, port or 443, proxy[2])
    return tunnelled


def _proxy(host: str) -> tuple[str, int, dict[str, str]] | None:
    """Host, port and headers of the proxy that HTTPS_PROXY (or ALL_PROXY) names for this host."""
    found = getproxies()
    url = found.get("https") or found.get("all")
    if not url or proxy_bypass(host):
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise UserError(
            "invalid_params",
            f"HTTPS_PROXY names a proxy of a kind that paas can't use ({parts.scheme or url}).",
            f"Use the address of an HTTP proxy, or NO_PROXY={host}.",
            exit_code=2,
        )
    headers = {}
    if parts.username:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(secret.encode()).decode()}"
    return parts.hostname, parts.port or 8080, headers
