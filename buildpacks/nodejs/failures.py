"""Explains a failed step from its exit code and its last output. A table, and pure functions.

The ids are those of Heroku's buildpack where it has one, in snake case. The first rule that fits
wins, so they stand from the particular to the general: those of package managers come first. Only
the forms that end a build are matched, never a warning of an attempt that was repeated.
"""

import re
from collections.abc import Iterable

from buildpacks.findings import Failure, Notice
from buildpacks.nodejs.known import KNOWN, named
from buildpacks.nodejs.package_manager import PackageManager
from buildpacks.nodejs.rules import BUILD, INSTALL, SCRIPTS, START, Rule

TAIL_CHARACTERS_MAX = 20_000

RULES = (
    *(rule for manager in KNOWN for rule in manager.rules),
    Rule(
        "native_module_failed",
        INSTALL,
        r"gyp ERR!",
        "a native module could not be compiled",
        "See the first error above; a newer release of the module may bring a binary "
        "for this version of Node.js.",
    ),
    Rule(
        "out_of_disk",
        BUILD,
        r"\bENOSPC\b|No space left on device|\bEDQUOT\b|Disk quota exceeded",
        "the build ran out of disk space",
        "Install less, or clean up in the build script.",
    ),
    Rule(
        "node_options_refused",
        (*BUILD, *START),
        r"(?P<name>\S+) is not allowed in NODE_OPTIONS|(?P<argument>\S+) requires an argument",
        "Node.js does not take {name} from NODE_OPTIONS",
        "Correct the config var NODE_OPTIONS with paas config:set, or take it away: "
        "paas config:unset NODE_OPTIONS",
    ),
    Rule(
        "node_options_module_missing",
        (*BUILD, *START),
        r"Cannot find (?:module|package) '(?P<name>[^'\n]{1,200})'"
        r"(?: imported from \S*/\s|\s+Require stack:\s+- internal/preload)",
        "NODE_OPTIONS loads {name}, which is not there",
        "Add the package to dependencies, correct the path, or take the config var away: "
        "paas config:unset NODE_OPTIONS",
    ),
    Rule(
        "node_out_of_memory",
        (*BUILD, *START),
        r"JavaScript heap out of memory",
        "Node.js ran out of memory",
        "Give the script that needs it more, e.g. NODE_OPTIONS=--max-old-space-size=1536, "
        "or choose a larger package for the process.",
    ),
    Rule(
        "econnreset",
        INSTALL,
        r"npm (?:error|ERR!) (?:code )?(?:ECONNRESET|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|"
        r"ERR_SOCKET_TIMEOUT)\b",
        "the npm registry could not be reached",
        "Try again: paas builds:create. If it stays so, the operator finds why in: paas doctor",
    ),
    Rule(
        "network_at_build",
        SCRIPTS,
        r"fonts\.googleapis\.com|(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED)\b",
        "the build script wanted something from the network that it could not get",
        "Take it into the repository, or make the build script do without.",
    ),
    Rule(
        "openssl_unsupported_algorithm",
        (*SCRIPTS, *START),
        r"ERR_OSSL_EVP_UNSUPPORTED",
        "a bundler from the time before Node.js 17 uses a hash that OpenSSL 3 does not have",
        "Update webpack, or in the script: NODE_OPTIONS=--openssl-legacy-provider",
    ),
    Rule(
        "libc6_incompatibility",
        (*BUILD, *START),
        r"version `(?P<name>GLIBC\w*_[\d.]+)' not found",
        "a binary needs {name}, which the stack does not have",
        "Install the dependency in the build (not from a copied node_modules), or an older one.",
    ),
    Rule(
        "typescript_error",
        SCRIPTS,
        r"error (?P<name>TS\d+):",
        "the TypeScript compiler found errors ({name})",
        "See them above; locally: npx tsc --noEmit",
    ),
    Rule(
        "crlf_script",
        (*BUILD, *START),
        r"env: \W?(?P<name>[\w.-]+)(?:'\$')?\\r\W*: No such file|\$'\\r': command not found"
        r"|bad interpreter: [^\n]*\^M",
        "a script's lines end as on Windows (CRLF), so that Linux finds no interpreter for it",
        "echo '* text=auto eol=lf' >> .gitattributes && git add --renormalize . && "
        "git commit -m 'Line ends of Linux'",
    ),
    Rule(
        "not_executable",
        (*BUILD, *START),
        r"(?:sh: (?:line )?\d+: |exec: )(?P<name>[\w./@-]+): Permission denied"
        r"|\[FATAL tini [^\n]*\] exec (?P<first>\S+) failed: Permission denied",
        "{name} may not be executed",
        "git update-index --chmod=+x {name} && git commit -m 'Make it executable'",
    ),
    Rule(
        "command_not_found",
        (*SCRIPTS, *START),
        r"(?:sh: (?:line )?\d+: |exec: |sh: )(?P<name>[\w./@-]+): (?:command )?not found"
        r'|exec: "(?P<other>[^"\s]+)": (?:executable file not found|stat )'
        r"|\[FATAL tini [^\n]*\] exec (?P<first>\S+) failed: No such file",
        "there is no command {name}",
        "Add the package that brings it to dependencies "
        "(dev dependencies are gone when the app starts).",
    ),
    Rule(
        "module_not_found",
        (*SCRIPTS, *START),
        r"Cannot find (?:module|package) '(?P<name>[^'\n]{1,200})'",
        "there is no module {name}",
        "Is it in dependencies (dev dependencies are gone when the app starts)? "
        "Is the file in git, and its name spelled alike, capitals too?",
    ),
    Rule(
        "native_module_missing",
        START,
        r"ERR_DLOPEN_FAILED|was compiled against a different Node\.js version|\.node: ",
        "a native module does not fit this version of Node.js",
        "Update it, run npm install and commit the lock file.",
    ),
    Rule(
        "esm_mismatch",
        (*SCRIPTS, *START),
        r"Cannot use import statement outside a module|ERR_REQUIRE_ESM"
        r"|require is not defined in ES module scope",
        "import and require are mixed up",
        'Set "type": "module" in package.json for import, or use the extension .mjs or .cjs.',
    ),
    Rule(
        "syntax_error",
        (*SCRIPTS, *START),
        r"SyntaxError: (?P<name>[^\n]{1,200})",
        "there is a syntax error: {name}",
        "The file and line stand above it; node --check <file> shows the same.",
    ),
    Rule(
        "port_in_use",
        START,
        r"\bEADDRINUSE\b",
        "the app wants a port that it has already opened itself",
        "Listen once, on process.env.PORT.",
    ),
    Rule(
        "port_forbidden",
        START,
        r"listen EACCES",
        "the app wants a port that it must not open",
        "Listen on process.env.PORT instead of a fixed number.",
    ),
    Rule(
        "database_unreachable",
        START,
        r"connect ECONNREFUSED (?P<name>[\w.:\[\]-]+)",
        "nothing answers at {name}, which the app connects to at its start",
        "Set the address of the service with paas config:set.",
    ),
    Rule(
        "missing_script",
        (*SCRIPTS, *START),
        r"Missing script: \"?(?P<name>[\w:.-]+)",
        "package.json has no script {name}",
        "Add it, or correct the name.",
    ),
)


def classify(
    step: str,
    exit_code: int | None,
    tail: str,
    *,
    manager: str = KNOWN[0].name,
    port: int | None = None,
) -> Failure:
    """Why a step failed. `step` is a step's name of the plan, or `start`; `manager` the plan's.

    `exit_code` is None for what was still running when its time was up: a build step over its
    limit, or a process that never opened `port`. A signal N is 128 + N.
    """
    tail = tail[-TAIL_CHARACTERS_MAX:]
    for rule in RULES:
        match = re.search(rule.pattern, tail) if step in rule.steps else None
        if match:
            return _filled(rule, match)
    if step == "start":
        return _of_start(exit_code, tail, port)
    return _of_build(step, exit_code, named(manager))


def noticed(step: str, lines: Iterable[str], manager: str) -> list[Notice]:
    """What the package manager has left out in a step that did not fail."""
    said, found = "\n".join(lines), []
    for rule in named(manager).warnings:
        matches = list(re.finditer(rule.pattern, said)) if step in rule.steps else []
        if matches:
            names = ", ".join(dict.fromkeys(map(_name, matches)))
            found.append(Notice(rule.id, rule.message.format(name=names), rule.hint))
    return found


def _filled(rule: Rule, match: re.Match[str]) -> Failure:
    name = _name(match)
    return Failure(rule.id, rule.message.format(name=name), rule.hint.format(name=name))


def _name(match: re.Match[str]) -> str:
    name = next((text for text in match.groupdict().values() if text), "")
    # Some frame what they say.
    return re.sub(r"[\s│]+", " ", name).strip()


def _of_build(step: str, exit_code: int | None, manager: PackageManager) -> Failure:
    if exit_code is None:
        return Failure(
            "build_timeout",
            f"{step} did not come to an end in the time that a build has",
            "Does a script wait for input, watch files or start a server?",
        )
    if exit_code == 137:
        return Failure(
            "build_out_of_memory",
            f"{step} was killed: it used more memory than a build has",
            "Lower what runs at a time, e.g. NODE_OPTIONS=--max-old-space-size=1536",
        )
    install, build = manager.typed.install, " ".join(manager.run("build"))
    if step == "install":
        return Failure(
            f"{manager.name}_install_failed",
            f"{install} failed (exit code {exit_code})",
            f"See its own words above; locally: {install}",
        )
    return Failure(
        "build_script_failed" if step == "build" else "script_failed",
        f"the {step} script failed (exit code {exit_code})",
        f"See its own words above; locally, with a fresh clone: {install} && {build}"
        if step == "build"
        else "See its own words above.",
    )


def _of_start(exit_code: int | None, tail: str, port: int | None) -> Failure:
    if exit_code is None:
        return _never_listened(tail, port)
    if exit_code == 137:
        return Failure(
            "out_of_memory",
            "the app was killed: it used more memory than its package has",
            "Choose a larger package, or look for what takes the memory at start.",
        )
    if exit_code == 0:
        return Failure(
            "exited_at_start",
            "the app came to its end at once, without an error",
            "A web process has to go on listening on process.env.PORT; "
            "other work belongs in a worker or in the release command of the Procfile.",
        )
    return Failure(
        "crashed_at_start",
        f"the app crashed at its start (exit code {exit_code})",
        "See its own words above; locally: NODE_ENV=production npm start",
    )


_LISTENS = re.compile(
    r"(?:listen|start|runn?|ready|serv|local|avail)\w*\b[^\n]{0,80}?"
    r"(?:\bport\s*[:=]?\s*|https?://[\w.\[\]-]+:|[\w.\]]:|\bon :?(?=\d{4}))"
    r"(?P<port>\d{2,5})\b(?![-/.]\d)",
    re.IGNORECASE,
)


def _never_listened(tail: str, port: int | None) -> Failure:
    said = [int(match["port"]) for match in _LISTENS.finditer(tail)]
    other = next((number for number in reversed(said) if number != port), None)
    if other is not None and port not in said:
        return Failure(
            "wrong_port",
            f"the app seems to listen on port {other}, not on the one in PORT",
            f"app.listen(process.env.PORT || {other})",
        )
    if port in said and re.search(r"127\.0\.0\.1|localhost|\[::1\]", tail):
        return Failure(
            "bound_to_loopback",
            f"the app listens on port {port}, but only on its own loopback address",
            "Leave the address out, app.listen(process.env.PORT), or listen on 0.0.0.0.",
        )
    return Failure(
        "port_never_opened",
        "the app runs, but never opened the port in PORT",
        "app.listen(process.env.PORT) — or, if it serves no HTTP, "
        "call it worker instead of web in the Procfile.",
    )
