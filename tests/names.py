"""Names for the installations of tests, of which no two that exist at once share a network.

The network follows from the name, and there are 128 of them.
"""

import json
import secrets
import subprocess
from functools import cache

from paas.settings import Settings
from tests.holding import hold

_TRIES = 2000


@cache
def own_name(prefix: str) -> str:
    """`prefix-…`, always the same in this process."""
    return new_name(prefix)


def new_name(prefix: str) -> str:
    routes = json.loads(subprocess.check_output(["ip", "-j", "-4", "route"], timeout=30))
    taken = {route["dst"] for route in routes}
    for _ in range(_TRIES):
        name = f"{prefix}-{secrets.token_hex(3)}"
        network = str(Settings(installation=name).network)
        if network not in taken and hold(f"network {network}"):
            return name
    raise AssertionError("every network for machines is in use on this host")
