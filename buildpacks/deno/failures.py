"""What Deno's output means: of a step that failed, of a start that did, and of what it left out."""

import re
from collections.abc import Callable

from buildpacks.findings import Failure
from buildpacks.nodejs.rules import BUILD, INSTALL, INSTALL_ONLY, START, Evidence, Rule, Shell

_FETCH = ("install", "build")
_COMMIT = "git add deno.json deno.lock && git commit -m 'Update the lock file'"
_NOISE = re.compile(
    r"Download https?://|Initialize \S+@|Stack backtrace:|\s*\d+: <unknown>|\++$"
    r"|(?:Reused|Downloaded) \d+ packages?|Task build "
)


def _blocked(_evidence: Evidence, match: re.Match[str]) -> dict[str, str]:
    """The packages without their versions, by which a permission need not hold."""
    names = re.findall(r"npm:(?:@[\w.-]+/)?[\w.-]+", match["name"])
    return {"name": ", ".join(names), "packages": Shell(" ".join(names))}


RULES = (
    Rule(
        "deno_lockfile_out_of_date",
        _FETCH,
        r"The lockfile is out of date",
        "deno.lock does not agree with deno.json, package.json or what the source imports",
        f"deno install --frozen=false && {_COMMIT}\n"
        "(for what only a source file names: deno install --frozen=false --entrypoint <file>)",
    ),
    Rule(
        "deno_lockfile_too_new",
        BUILD,
        r"Unsupported lockfile version '(?P<name>\w+)'",
        "deno.lock is of version {name}, which the Deno that the app asks for is too old to read",
        "Ask for the one that you use: deno eval -p Deno.version.deno > .deno-version && "
        "git add .deno-version && git commit -m 'Ask for the Deno of the lock file'",
    ),
    Rule(
        "deno_jsr_not_found",
        BUILD,
        r"JSR package not found: (?P<name>@[\w./-]+)",
        "jsr.io has no {name}",
        "Check the spelling in deno.json and in the imports.",
    ),
    Rule(
        "deno_jsr_unreachable",
        BUILD,
        r"JSR package manifest for '(?P<name>@[^'\n]+)' failed to load"
        r"|Import 'https://jsr\.io/(?P<path>@[^/'\n]+/[^/'\n]+)[^'\n]*' failed",
        "{name} is at jsr.io, which this server could not reach",
        "Push again when it can: the operator sees what is closed with curl -I https://jsr.io\n"
        "What npm has as well can come from there: deno add npm:<name>",
    ),
    Rule(
        "deno_remote_unreachable",
        BUILD,
        r"Import '(?P<name>https?://[^'\n]{1,200})' failed",
        "{name} is imported, and this server could not fetch it",
        "If the address is right, push again when the server can reach it; what npm has as well "
        "can come from there: deno add npm:<name>",
    ),
    Rule(
        "deno_import_not_allowed",
        (*BUILD, *START),
        r"Requires import access to \"(?P<name>[^\"\n]{1,200})\"",
        "a module is imported from {name}, from where Deno imports nothing unless told to",
        "Add --allow-import={name} behind deno run or deno serve in the start command.",
    ),
    Rule(
        "deno_package_not_found",
        BUILD,
        r"npm package '(?P<name>[^'\n]+)' does not exist",
        "the npm registry has no {name}",
        "Check the spelling; a private package needs its registry and token in .npmrc.",
    ),
    Rule(
        "deno_bad_version",
        BUILD,
        r"Could not find npm package '(?P<name>[^'\n]+)' matching '[^'\n]+'",
        "the npm registry has no such version of {name}",
        f"deno add npm:{{name}} && {_COMMIT}",
    ),
    Rule(
        "deno_integrity",
        BUILD,
        r"Integrity check failed",
        "a dependency is not what deno.lock says (checksum)",
        f"Look at what has changed, then: rm deno.lock && deno install && {_COMMIT}",
    ),
    Rule(
        "deno_not_a_dependency",
        (*BUILD, *START),
        r"Import \"(?P<name>[^\"\n]{1,200})\" not a dependency",
        "{name} is imported, and deno.json does not say what that is",
        f"deno add npm:{{name}} && {_COMMIT} (or jsr:{{name}}, where that has it)",
    ),
    Rule(
        "module_not_found",
        (*BUILD, *START),
        r"Module not found \"file:///app/(?P<name>[^\"\n]{1,200})\"",
        "{name} is imported, and is not in the repository",
        "Is it ignored by git, or written with other capitals? git ls-files shows what there is.",
    ),
    Rule(
        "deno_permission",
        START,
        r"NotCapable: Requires [^\n]{1,300}? run again with the (?P<name>--allow-[\w-]+) flag",
        "the app may not do what it needs: its command lacks {name}",
        "Add {name} behind deno run or deno serve in the start command, or -A for everything.",
    ),
    Rule(
        "deno_out_of_memory",
        (*BUILD, *START),
        r"Fatal JavaScript out of memory",
        "Deno ran out of memory for its heap",
        "Choose a larger package for the process, or look for what takes the memory.",
    ),
)

WARNINGS = (
    Rule(
        "install_script_blocked",
        INSTALL_ONLY,
        r"Ignored build scripts for packages:[\s│]*(?P<name>npm:\S+(?:[\s│]+npm:\S+)*)",
        "Deno did not run the install scripts of {name}",
        "If the app needs them: deno approve-scripts {packages} && deno install && "
        "git add deno.json deno.lock && git commit -m 'Allow install scripts'",
        _blocked,
    ),
)


def otherwise(step: str, exit_code: int | None) -> Failure:
    """Where no rule says more."""
    if step == "start":
        return Failure(
            "crashed_at_start",
            f"the app crashed at its start (exit code {exit_code})",
            "See its own words above; locally, with a fresh clone, run its start command.",
        )
    if exit_code is None:
        return Failure(
            "build_timeout",
            f"{step} did not come to an end in the time that a build has",
            "Does a task wait for input, watch files or start a server?",
        )
    if exit_code == 137:
        return Failure(
            "build_out_of_memory",
            f"{step} was killed: it used more memory than a build has",
            "Let it do less at a time.",
        )
    if step in INSTALL:
        return Failure(
            "deno_install_failed",
            f"deno install failed (exit code {exit_code})",
            "See its own words above; locally: deno install",
        )
    return Failure(
        "build_script_failed",
        f"the build task failed (exit code {exit_code})",
        "See its own words above; locally, with a fresh clone: deno install && deno task build",
    )


def shown() -> Callable[[str], bool]:
    return lambda line: not _NOISE.match(line)
