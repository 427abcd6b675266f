"""Commands of pnpm, Yarn and Bun that run a script of package.json: `yarn start`, `pnpm run x`."""

import re
from collections.abc import Collection, Mapping

from buildpacks.nodejs.package_manager import ScriptRun

_NAME = r"[\w:.@/-]+"


def script(
    manager: str,
    command: str,
    scripts: Mapping[str, str],
    commands: Collection[str],
    *,
    before: bool,
) -> ScriptRun | None:
    """A word alone is a script's name unless it is among the manager's own `commands`; where
    package.json has no such script, it may be a program's. `before`: `prestart` is run first."""
    match = re.fullmatch(
        rf"{manager}\s+(?:(?P<run>run|run-script)\s+)?(?P<name>\w{_NAME}|\w)(?:\s+(?P<rest>.*))?",
        command,
    )
    if match is None:
        return None
    name, rest = match["name"], match["rest"] or ""
    if not match["run"] and (name in commands or (name not in scripts and name != "start")):
        return None
    return ScriptRun(name, re.sub(r"^--(?:\s+|$)", "", rest), before)
