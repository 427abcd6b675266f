"""How the supervisor is told to stop: by signals, with or without the machines."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

HALT_SIGNAL = signal.SIGUSR2
"""`paas down`: the machines as well."""
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class StopRequest:
    """Set once the supervisor is told to stop, and perhaps to halt the machines as well."""

    made: asyncio.Event = field(default_factory=asyncio.Event)
    halt_machines: bool = False

    def halt(self) -> None:
        self.halt_machines = True
        self.made.set()


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """From the claim on others may signal this process: until it obeys, that would kill it, and the
    holder would start another for the same end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_STOP_SIGNALS, HALT_SIGNAL})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def obey_signals() -> StopRequest:
    request = StopRequest()
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, request.made.set)
    loop.add_signal_handler(HALT_SIGNAL, request.halt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*_STOP_SIGNALS, HALT_SIGNAL})
    return request
