"""What a visitor's connection is in the middle of."""

from typing import Final

HEAD: Final = 0
"""Between requests, or a head is coming in."""
BODY: Final = 1
"""A body is coming in; its response may have begun."""
WAIT: Final = 2
"""The request is whole, its response is due or on its way."""
TUNNEL: Final = 3
"""Both ends talk freely, after an upgrade."""
LINGER: Final = 4
"""The last response is out; what still comes in is thrown away until the visitor closes."""
CLOSED: Final = 5
