"""What a visitor's connection is in the middle of. Compared with `is`: that is what costs least."""

from enum import Enum
from typing import Final


class Phase(Enum):
    HEAD = "head"
    BODY = "body"
    WAIT = "wait"
    TUNNEL = "tunnel"
    LINGER = "linger"
    CLOSED = "closed"


HEAD: Final = Phase.HEAD
"""Between requests, or a head is coming in."""
BODY: Final = Phase.BODY
"""A body is coming in; its response may have begun."""
WAIT: Final = Phase.WAIT
"""The request is whole, its response is due or on its way."""
TUNNEL: Final = Phase.TUNNEL
"""Both ends talk freely, after an upgrade."""
LINGER: Final = Phase.LINGER
"""The last response is out; what still comes in is thrown away until the visitor closes."""
CLOSED: Final = Phase.CLOSED
