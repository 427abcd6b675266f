"""The `paas` command: finds what was typed, runs it, turns failures into exit codes.

One module a noun, imported when one of its commands is typed; `index` is the static list of all.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paas.cli import index
from paas.errors import PlatformError, UserError

if TYPE_CHECKING:
    from paas.cli.command import Spec

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _open_streams()
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except UserError as error:
        return _failed(error)
    except PlatformError as error:
        return _failed(
            UserError("platform_error", str(error), "This is the platform's own failure.")
        )
    except BrokenPipeError:
        return _closed_pipe()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _open_streams() -> None:
    """Python has no object for a stream that was closed (`>&-`), and a locale may lack letters."""
    null = Path(os.devnull)  # stays open until the process ends
    sys.stdin = sys.stdin or null.open()
    sys.stdout = sys.stdout or null.open("w")
    sys.stderr = sys.stderr or null.open("w")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _run(words: list[str]) -> int:
    from paas.cli.call import Call
    from paas.cli.parsing import parse

    name, rest = index.find(words)
    run = index.load(name)
    if any(word in ("-h", "--help") for word in rest[: _end_of_options(rest, run.spec)]):
        from paas.cli.commands.help import print_help

        return print_help(name, run.spec)
    call = Call(parse(name, run.spec, rest), dict(os.environ))
    return run(call) or 0


def _end_of_options(words: list[str], spec: "Spec") -> int:
    """`paas run node --help` asks node."""
    from paas.cli.parsing import verbatim_from

    end = words.index("--") if "--" in words else len(words)
    return min(end, verbatim_from(spec, words))


def _failed(error: UserError) -> int:
    from paas.cli.output import print_error

    try:
        sys.stdout.flush()
        print_error(error)
    except BrokenPipeError:
        _closed_pipe()
    return error.exit_code


def _closed_pipe() -> int:
    """The reader went away (`paas logs | head`): be quiet, also when Python flushes at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError):
        pass
    finally:
        os.close(null)
    return EXIT_FAILED
