"""What is left when nothing in the output tells: which step it was, and how it ended."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.rules import BUILD, START, Evidence, Rule


def _code(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str]:
    return {"code": str(evidence.exit_code), "step": evidence.step}


def _without_error(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
    return {} if evidence.exit_code == 0 else None


_OTHERS = tuple(step for step in BUILD if step not in ("install", "build"))

RULES = (
    Rule(
        "install_failed",
        ("install",),
        "",
        "{install} failed (exit code {code})",
        "See its own words above; locally: {install}",
        _code,
        is_general=True,
    ),
    Rule(
        "build_script_failed",
        ("build",),
        "",
        "the build script failed (exit code {code})",
        "See its own words above; locally, with a fresh clone: {install} && {run_build}",
        _code,
        is_general=True,
    ),
    Rule(
        "script_failed",
        _OTHERS,
        "",
        "the {step} script failed (exit code {code})",
        "See its own words above.",
        _code,
        is_general=True,
    ),
    Rule(
        "exited_at_start",
        START,
        "",
        "the app came to its end at once, without an error",
        "A web process has to go on listening on process.env.PORT; "
        "other work belongs in a worker or in the release command of the Procfile.",
        _without_error,
        is_general=True,
    ),
    Rule(
        "crashed_at_start",
        START,
        "",
        "the app crashed at its start (exit code {code})",
        "See its own words above; locally: NODE_ENV=production {start}",
        _code,
        is_general=True,
    ),
)
