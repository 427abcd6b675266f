"""A supervisor that is told to end while it still looks around: it ends in order, once it can."""

import asyncio
import signal
import threading

import pytest

from paas.supervisor import main as supervisor


@pytest.mark.parametrize(
    "number, halts",
    [(signal.SIGUSR2, True), (signal.SIGTERM, False), (signal.SIGINT, False)],
)
def test_what_it_was_told_before_it_obeys_is_done_afterwards(
    number: signal.Signals, halts: bool
) -> None:
    async def obey() -> supervisor.Wish:
        wish = supervisor._obey_signals()
        async with asyncio.timeout(60):
            await wish.stop.wait()
        return wish

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with supervisor._signals_wait():
        # To this thread: another of the test's process might not have it blocked.
        signal.pthread_kill(threading.get_ident(), number)
        wish = asyncio.run(obey())
    assert wish.halt_machines is halts
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
