"""A supervisor that is told to end while it still looks around: it ends in order, once it can."""

import asyncio
import signal
import threading

import pytest

from paas.supervisor import stopping


@pytest.mark.parametrize(
    "number, halts",
    [(signal.SIGUSR2, True), (signal.SIGTERM, False), (signal.SIGINT, False)],
)
def test_what_it_was_told_before_it_obeys_is_done_afterwards(
    number: signal.Signals, halts: bool
) -> None:
    async def obey() -> stopping.StopRequest:
        request = stopping.obey_signals()
        async with asyncio.timeout(60):
            await request.made.wait()
        return request

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with stopping.signals_wait():
        # To this thread: another of the test's process might not have it blocked.
        signal.pthread_kill(threading.get_ident(), number)
        request = asyncio.run(obey())
    assert request.halt_machines is halts
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
