"""What Bun's output means: of an installation that failed, and of one that left something out."""

from buildpacks.nodejs.rules import (
    GIT_UNREACHABLE,
    INSTALL,
    INSTALL_ONLY,
    PRIVATE_GIT,
    Rule,
    unpublished,
)

_COMMIT = "git add package.json bun.lock && git commit -m 'Update the lock file'"

RULES = (
    Rule(
        "bun_lockfile_too_new",
        INSTALL,
        r"Unknown lockfile version",
        "bun.lock was written by a newer Bun than the one that the app asks for",
        "Ask for the one that you use: bun --version > .bun-version && git add .bun-version && "
        "git commit -m 'Ask for the Bun of the lock file'\n"
        "(and take out what names an older one: packageManager or engines.bun in package.json)",
    ),
    Rule(
        "bun_lockfile_out_of_sync",
        INSTALL,
        r"lockfile had changes, but lockfile is frozen",
        "bun.lock does not agree with package.json, or was written by another Bun",
        f"bun install && {_COMMIT}",
    ),
    Rule(
        "bun_bad_version",
        INSTALL,
        r"error: No version matching \"(?P<range>[^\"\n]+)\" found for specifier "
        r"\"(?P<name>[^\"\n]+)\"",
        "the registry has no such version ({name})",
        f"Correct it in package.json, then: bun install && {_COMMIT}",
    ),
    unpublished("bun_bad_version", "bun"),
    Rule(
        "bun_unauthorized",
        INSTALL,
        r"error: GET \S+ - 40[13]\b",
        "the registry refuses to hand out a dependency",
        "Put the token into a config var and name it in .npmrc: "
        "//<registry>/:_authToken=${{NPM_TOKEN}}",
    ),
    Rule(
        "bun_package_not_found",
        INSTALL,
        r"error: GET \S+ - 404\s+error: (?P<name>\S+) failed to resolve"
        r"|error: GET (?P<url>(?!\S*/-/)\S+) - 404",
        "the registry has no {name}",
        "Check the spelling; a private package needs its registry and token in .npmrc.",
    ),
    Rule(
        "bun_integrity",
        INSTALL,
        r"Integrity check failed(?! for \")",
        "a dependency is not what the lock file says (checksum)",
        f"Look at what has changed, then: rm bun.lock && bun install && {_COMMIT}",
    ),
    Rule(
        "bun_build_failed",
        INSTALL,
        r"error: \w+ script from \"(?P<name>[^\"\n]+)\" exited with",
        "the install script of {name} failed",
        "See its own words above. If the app does without, take it out of trustedDependencies.",
    ),
    PRIVATE_GIT,
    GIT_UNREACHABLE,
    Rule(
        "econnreset",
        INSTALL,
        r"error: (?:ConnectionRefused|ConnectionClosed|Timeout|FailedToOpenSocket|DNS\w*|"
        r"ConnectionReset|UnableToConnect)\b",
        "the npm registry could not be reached",
        "Try again: paas builds:create. If it stays so, the operator finds why in: paas doctor",
    ),
)

WARNINGS = (
    Rule(
        "install_script_blocked",
        INSTALL_ONLY,
        r"Blocked (?P<name>\d+) (?:pre|post)?installs?\b",
        "Bun did not run {name} install scripts",
        "bun pm untrusted  # names them\n"
        "If the app needs one: bun pm trust <name>, then commit package.json and bun.lock.",
    ),
)
