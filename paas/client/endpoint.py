"""Which platform the command talks to: its address, and the token for it.

`PAAS_API`, the last `paas login`, or this host's own. How it is reached is the matter of
paas.client.connection.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from paas.client.login import Login
from paas.errors import UserError
from paas.settings import Settings


@dataclass(frozen=True)
class Endpoint:
    """Where the API is: `url` names it and its git repositories, `unix` reaches it on this host."""

    url: str
    unix: Path | None = None
    token: str | None = field(default=None, repr=False)


def find_endpoint(
    settings: Settings, environment: Mapping[str, str] | None = None, login: Login | None = None
) -> Endpoint:
    """The platform to talk to: `PAAS_API`, then the last `paas login`, then this host's own.

    Naming an installation (`PAAS_INSTALLATION`) means this host's, whatever was logged in to.
    Raises UserError when there is none.
    """
    environment = os.environ if environment is None else environment
    login = Login.load(environment) if login is None else login
    here = f"http://localhost:{settings.control_port}"
    token = environment.get("PAAS_TOKEN") or None
    if environment.get("PAAS_API"):
        url = checked_url(environment["PAAS_API"])
        return Endpoint(url, token=token or login.token(url))
    if token:
        return Endpoint(here, token=token)
    if login.current and not environment.get("PAAS_INSTALLATION"):
        return Endpoint(login.current, token=login.token(login.current))
    if may_open(settings.control_socket):
        return Endpoint(here, unix=settings.control_socket)
    if os.geteuid() == 0:
        raise not_running(f"there is no {settings.control_socket}")
    if login.token(here):
        return Endpoint(here, token=login.token(here))
    raise UserError(
        "unauthorized",
        "You are not logged in to a platform.",
        f"If it runs on this machine: run `sudo paas auth:code`, then `paas login {here}`.\n"
        "If it runs on a server: run `ssh -L 8081:localhost:8081 root@SERVER` and,\n"
        "with the code that `paas auth:code` prints there, `paas login http://localhost:8081`.",
    )


def may_open(path: Path) -> bool:
    # In this order: `is_socket` raises where the folder may not be entered.
    return os.access(path, os.R_OK | os.W_OK) and path.is_socket()


def checked_url(text: str) -> str:
    """`text` as scheme, host and port. A token is never sent in the clear over a network.

    Raises UserError for anything that is not the address of a platform.
    """
    text = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - it raises for one that is no port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise UserError(
            "invalid_params",
            f"{text!r} is not the address of a platform.",
            "It looks like http://localhost:8081 or https://paas.example.com.",
            exit_code=2,
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise UserError(
            "invalid_params",
            f"{text} is not encrypted: your token could be read on the way.",
            f"Use https, or forward the port (`ssh -L 8081:localhost:8081 root@{parts.hostname}`)\n"
            "and use http://localhost:8081.",
            exit_code=2,
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"


def is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def not_running(detail: str) -> UserError:
    return UserError(
        "platform_unavailable",
        f"The platform is not running: {detail}.",
        "Start it on its server with `paas up -d` (or `script/server` in the checkout).\n"
        "If it was started a moment ago, or has just restarted, try again.",
    )
