"""How long and how much: the limits of a worker, settable as `name=number`."""

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, bytes, and counts for one worker. The first-byte and idle times are Heroku's."""

    head_s: float = 10.0
    keep_alive_s: float = 75.0
    connect_s: float = 5.0
    queue_s: float = 30.0
    first_byte_s: float = 30.0
    idle_s: float = 55.0
    linger_s: float = 2.0
    pooled_s: float = 4.0
    """Under the five seconds after which Node.js closes an idle connection."""
    head_bytes: int = 32 * 1024
    response_head_bytes: int = 512 * 1024
    held_bytes: int = 64 * 1024
    linger_bytes: int = 16 * 1024 * 1024
    attempts: int = 3
    queue_length: int = 1000
    check_s: float = 5.0
    check_timeout_s: float = 5.0
    connections: int = 20_000
    """Fewer where the process may not have so many descriptors."""
    connections_per_address: int = 1000
    """An IPv4 address, or a /64 of IPv6."""
    requests_per_connection: int = 10_000
    handshakes: int = 1000
    """Under way at once: TLS, and PROXY headers. Each has `head_s` to end."""
    upload_rate: int = 500
    """Bytes a second that a visitor must send of a body that is due, over `upload_s`."""
    upload_s: float = 20.0
    download_rate: int = 500
    """Bytes a second that a visitor must take of what waits for it, over `idle_s`."""


DEFAULTS = Limits()


def parse(settings: Iterable[str]) -> Limits:
    """The defaults changed by settings like `first_byte_s=10`. Raises ValueError."""
    kinds = {field.name: type(getattr(DEFAULTS, field.name)) for field in fields(Limits)}
    values = {}
    for setting in settings:
        name, _, text = setting.partition("=")
        if name not in kinds:
            raise ValueError(f"there is no limit {name!r}; there are {', '.join(kinds)}")
        try:
            values[name] = kinds[name](text)
        except ValueError:
            raise ValueError(f"{setting!r} gives no number") from None
        if values[name] <= 0:
            raise ValueError(f"{setting!r} is not above zero")
    return Limits(**values)
