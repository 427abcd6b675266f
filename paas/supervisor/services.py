"""The services of an installation: how each process is started, under which user, with what."""

import os
import sys
from collections.abc import Sequence

from paas.errors import UserError
from paas.host import handed, sockets
from paas.host.code import checkout
from paas.host.sockets import CONTROL, HTTP, HTTPS, SSH, Listener
from paas.settings import CONTROL_USER, ROUTER_USER, Settings
from paas.supervisor import environment, holder, launch
from paas.supervisor.service import Service
from router.memory import limits
from router.traffic import visitors


def node(settings: Settings) -> Service:
    command = [sys.executable, "-P", "-m", "paas.node.server"]
    return Service("node", command, environment.outward(os.environ) | _own(settings))


def router(settings: Settings, listeners: Sequence[Listener]) -> Service:
    public = sockets.named(listeners, HTTP, HTTPS)
    words = router_arguments(settings)
    command = launch.command(ROUTER_USER, "router.keeper", words, sockets.descriptors(public))
    return _serving("router", command, environment.local(os.environ) | _own(settings), public)


def control(settings: Settings, listeners: Sequence[Listener]) -> Service:
    mine = sockets.named(listeners, CONTROL, SSH)
    command = launch.command(CONTROL_USER, "paas.control", [], sockets.descriptors(mine))
    return _serving("control", command, environment.outward(os.environ) | _own(settings), mine)


def holder_of(settings: Settings, listeners: Sequence[Listener], claim: int) -> Service:
    """It starts another supervisor when need be, so it has the environment of this one."""
    descriptors = (*sockets.descriptors(listeners), claim)
    names = f"{sockets.names(listeners)}:{handed.CLAIM}"
    command = holder.command(os.getpid(), descriptors, names)
    return Service("holder", command, {**os.environ, **_own(settings)}, descriptors)


def _serving(
    name: str, command: list[str], variables: dict[str, str], listeners: Sequence[Listener]
) -> Service:
    named = {"LISTEN_FDNAMES": sockets.names(listeners)}
    return Service(name, command, variables | named, sockets.descriptors(listeners))


def _own(settings: Settings) -> dict[str, str]:
    return {"PAAS_INSTALLATION": settings.installation, "PYTHONPATH": str(checkout())}


def router_arguments(settings: Settings) -> list[str]:
    options = {
        "--control-socket": settings.router_socket,
        "--table": settings.router_state / "table.json",
        "--log-folder": settings.logs / "router",
        "--workers": settings.router_workers,
    }
    words = [str(word) for option in options.items() for word in option]
    words += [f"--limit={each}" for each in settings.router_limits]
    words += [f"--trusted-proxy={each}" for each in settings.router_trusted_proxies]
    return words + [f"--forwarding-proxy={each}" for each in settings.router_forwarding_proxies]


def check_router(settings: Settings) -> None:
    """Raises UserError for what the router would refuse to start with."""
    try:
        limits.parse(settings.router_limits)
        visitors.networks(settings.router_trusted_proxies)
        visitors.networks(settings.router_forwarding_proxies)
    except ValueError as error:
        raise UserError(
            "invalid_params",
            f"the router's settings: {error}",
            "See PAAS_ROUTER_LIMITS, PAAS_ROUTER_TRUSTED_PROXIES, PAAS_ROUTER_FORWARDING_PROXIES.",
            exit_code=2,
        ) from error
