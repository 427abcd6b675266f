"""How a machine's process ended, and what the platform says of it in the app's log. Pure.

The log lines are Heroku's (Dev Center, "Error codes" and the dyno's life cycle). R15 is the limit
that killed the first process, R14 the limit that killed a child which the first process survived.
"""

import signal

OUT_OF_MEMORY = "out of memory"
MONITOR_DIED = "its monitor died"
HOST_RESTARTED = "the host was restarted"
LISTENER_SHUT_DOWN = "it shut down the socket it was given"

R12 = "Error R12 (Exit timeout)"
R14 = "Error R14 (Memory quota exceeded)"
R15 = "Error R15 (Memory quota vastly exceeded)"


def reason(
    code: int | None, *, out_of_memory: bool = False, cause: str | None = None
) -> str | None:
    """In a few words, beside the exit status; None when that says all.

    `cause` is what the node did or knows. A status above 128 is a signal's, as shells have it.
    """
    if out_of_memory:
        return OUT_OF_MEMORY
    if cause is not None:
        return cause
    if code is None:
        return MONITOR_DIED
    if code > 128:
        try:
            return signal.Signals(code - 128).name
        except ValueError:
            return None
    return None


def lines(code: int | None, why: str | None, *, wanted: bool, restarts: bool) -> list[str]:
    """For the log, when the process has ended. `wanted`: it was to run on."""
    told = []
    if why == OUT_OF_MEMORY:
        told += [R15, "Stopping process with SIGKILL"]
    if code is not None:
        told.append(f"Process exited with status {code}")
    if why is not None and why != OUT_OF_MEMORY and not why.startswith("SIG"):
        told.append(f"Process ended: {why}")
    if wanted:
        told.append(f"State changed from up to {'crashed' if restarts else 'complete'}")
    return told


def memory_line(killed: int) -> str:
    """A child was killed for memory, and the machine runs on."""
    return f"{R14}: {_counted(killed, 'process', 'processes')} killed"


def lwps_line(hits: int, limit: int) -> str:
    """Forks or threads were refused because the package's process limit was reached."""
    times = _counted(hits, "time", "times")
    return f"Process limit of {limit} reached: new processes or threads were refused {times}"


def _counted(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"
