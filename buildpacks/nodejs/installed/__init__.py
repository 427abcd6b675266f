"""What is done with installed dependencies without a package manager: programs for Node.js.

Package managers would ask the registry for what they need no more, or run scripts that need what
was just removed. These read `node_modules` itself, in every layout there is.
"""

import json
import shlex
from collections.abc import Iterable
from pathlib import Path

from buildpacks.nodejs.scripts import COMMAND_CHARACTERS_MAX, PROBE_END


def _program(name: str) -> str:
    folder = Path(__file__).parent
    return "".join((folder / f"{part}.cjs").read_text() for part in ("packages", name))


_PRUNE = _program("prune")
_SCRIPTS = (
    _program("scripts").replace("LENGTH", str(COMMAND_CHARACTERS_MAX + 1)).replace("END", PROBE_END)
)
_RUN_AGAIN = f"node -e {shlex.quote(_program('run_again'))}"

PNP_COMMANDS = _program("pnp_commands")

REBUILD = f'{_RUN_AGAIN} "$@"'
"""Shell: the install scripts of the packages and linked folders in "$@", once more."""
REBUILD_OWN = f"{_RUN_AGAIN} ."


def prune(workspaces: Iterable[str]) -> tuple[str, ...]:
    """Take away what only dev dependencies of the root and of these folders need."""
    return ("node", "-e", _PRUNE, *workspaces)


def probe(built: str = "{}") -> tuple[str, ...]:
    """List the install scripts of what is installed, as `scripts.chosen` reads them."""
    return ("node", "-e", _SCRIPTS, built)


def probe_after(shell: str) -> tuple[str, ...]:
    """The same where a line of shell has to print first which packages' scripts are run."""
    return (
        "sh",
        "-c",
        f'built=$( {{ {shell}; }} 2>/dev/null ) && exec node -e "$1" "$built"',
        "sh",
        _SCRIPTS,
    )


def built(only: object = None, never: object = None) -> str:
    """For `probe`: those whose scripts are run. Two lists of names, as they stand in settings: of
    `only` these, else all; but for `never`."""
    return json.dumps({"only": _names(only), "never": _names(never) or []})


def _names(value: object) -> list[str] | None:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else None
