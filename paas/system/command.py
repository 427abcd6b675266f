"""External commands: with a time limit, their standard error kept, and never through a shell."""

import asyncio
import subprocess
from collections.abc import Mapping, Sequence

from paas.errors import PlatformError


class CommandFailed(PlatformError):
    """A command ended with a status other than 0, or too late; the message has its last words."""

    def __init__(self, argv: Sequence[str], status: int | None, stderr: str) -> None:
        how = "took too long" if status is None else f"ended with status {status}"
        super().__init__(f"{' '.join(argv)} {how}: {stderr.strip()[-2000:] or 'no message'}")
        self.status = status
        self.stderr = stderr


def run(
    argv: Sequence[str],
    *,
    input: bytes = b"",
    timeout_s: float = 10.0,
    environment: Mapping[str, str] | None = None,
) -> bytes:
    """The command's standard output. Blocks; raises CommandFailed."""
    try:
        done = subprocess.run(
            list(argv),
            input=input,
            capture_output=True,
            timeout=timeout_s,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(argv, None, _text(error.stderr)) from error
    except OSError as error:
        raise CommandFailed(argv, 127, str(error)) from error
    if done.returncode:
        raise CommandFailed(argv, done.returncode, _text(done.stderr))
    return done.stdout


async def run_async(argv: Sequence[str], *, input: bytes = b"", timeout_s: float = 10.0) -> bytes:
    """`run` off the event loop."""
    return await asyncio.to_thread(run, argv, input=input, timeout_s=timeout_s)


def _text(output: bytes | str | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
