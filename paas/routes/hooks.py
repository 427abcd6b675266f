"""The address at which git hosts tell of pushes: a host name of the router's that leads to control.

It is there as long as an app is connected with a repository; control answers nothing but hooks at
it. Pure.
"""

from typing import Any

from paas.apps import address
from paas.apps.git_hooks import BODY_BYTES_MAX
from paas.settings import Settings

NAME = "smartplatform"
"""In the place of an app's name, which it can't be (`paas.apps.apps.RESERVED_NAMES`)."""
PLACE = "/hooks/"
_ID = "5a8f0c1e-6d1b-4c52-9d0e-0a6c1f7be001"
_PER_SECOND, _BURST = 10, 100
"""Of one address: everybody can knock here."""


def base_url(settings: Settings) -> str:
    """Without a slash at its end."""
    return (settings.hooks_url or address.web_url(NAME, settings)).rstrip("/")


def route(settings: Settings) -> dict[str, Any]:
    """Of the router's table, as an app's."""
    target = {"tcp": ["127.0.0.1", settings.control_port]}
    return {
        "id": _ID,
        "name": NAME,
        "domains": [],
        "maintenance": False,
        "state": "live",
        "instances": [{"id": _ID, "name": "hooks.1", "target": target}],
        "routing": {
            "body_bytes_max": BODY_BYTES_MAX,
            "requests_per_second": _PER_SECOND,
            "burst": _BURST,
        },
    }


def is_elsewhere(settings: Settings, host: str, path: str) -> bool:
    """Does a request at this host ask for anything but hooks?"""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    label, _, base = name.lower().rstrip(".").partition(".")
    is_ours = label == NAME and (base in settings.base_domains or base.endswith("sslip.io"))
    return is_ours and not path.startswith(PLACE)
