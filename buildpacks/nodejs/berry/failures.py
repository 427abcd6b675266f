"""What Berry's output means: of an installation that failed, and of one that left something out."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.rules import (
    BUILD,
    GIT_UNREACHABLE,
    INSTALL,
    INSTALL_ONLY,
    PRIVATE_GIT,
    Evidence,
    Rule,
    approval,
)

_COMMIT = "git add package.json yarn.lock && git commit -m 'Update the lock file'"
_PACKAGE = r"(?P<name>(?:@[\w.-]+/)?[\w.-]+@[^\s:]+:\S*?)"


def _blocked(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str]:
    """Of all lines: Yarn writes one for each package."""
    lines = re.findall(r"YN0004: │ ((?:@[\w.-]+/)?[\w.-]+)@\S+ lists build scripts", evidence.tail)
    names = list(dict.fromkeys(lines))
    return {
        "name": ", ".join(names),
        "approve": approval(evidence.typed.get("approve", ""), names),
    }


RULES = (
    Rule(
        "yarn_settings_unknown",
        BUILD,
        r"Unrecognized or legacy configuration settings found: (?P<name>\w+)[^\n]*"
        r"\(in <environment>\)",
        "Yarn does not know the setting {name}, which a config var YARN_… names",
        "paas config  # names it\npaas config:unset <its name>",
    ),
    Rule(
        "yarn_zero_install_incomplete",
        INSTALL,
        r"YN0056\b",
        ".yarn/cache in git lacks an archive that is needed here",
        "yarn config set --json supportedArchitectures "
        """'{{"os":["current","linux"],"cpu":["current","x64","arm64"],"""
        """"libc":["current","glibc"]}}' """
        "&& yarn install && git add .yarnrc.yml .yarn/cache yarn.lock && git commit -m 'Archives'",
    ),
    Rule(
        "yarn_lockfile_out_of_sync",
        INSTALL,
        r"YN0028\b",
        "yarn.lock does not agree with package.json, or was written by another Yarn",
        f"yarn install && {_COMMIT}",
    ),
    Rule(
        "yarn_integrity",
        INSTALL,
        rf"YN0018\b[^\n]*?{_PACKAGE}: The remote archive",
        "{name} is not what the lock file says (checksum)",
        "Look at what has changed, then: YARN_CHECKSUM_BEHAVIOR=update yarn install && " + _COMMIT,
    ),
    Rule(
        "yarn_bad_version",
        INSTALL,
        rf"YN0(?:082|027)\b[^\n]*?{_PACKAGE}: No candidates found",
        "the registry has no {name}",
        f"Correct the version in package.json, then: yarn install && {_COMMIT}",
    ),
    Rule(
        "yarn_package_not_found",
        INSTALL,
        rf"YN0035\b[^\n]*?{_PACKAGE}: Package not found",
        "the registry has no {name}",
        "Check the spelling; a private package needs its registry and token in .yarnrc.yml.",
    ),
    Rule(
        "yarn_unauthorized",
        INSTALL,
        r"YN0041\b|YN0033\b|YN0035\b[^\n]*Response Code[^\n]*40[13]",
        "the registry refuses to hand out a dependency",
        "Put the token into a config var and name it in .yarnrc.yml: "
        'npmAuthToken: "${{NPM_TOKEN:-}}"',
    ),
    Rule(
        "yarn_build_failed",
        INSTALL,
        rf"YN0009\b[^\n]*?{_PACKAGE} couldn't be built",
        "the install script of {name} failed",
        "See its own words above. If the app does without: in package.json "
        '"dependenciesMeta": {{"<name>": {{"built": false}}}}',
    ),
    PRIVATE_GIT,
    GIT_UNREACHABLE,
    Rule(
        "econnreset",
        INSTALL,
        r"YN0001\b[^\n]*(?:RequestError|ECONNRESET|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ECONNREFUSED)",
        "the npm registry could not be reached",
        "Try again: paas builds:create. If it stays so, the operator finds why in: paas doctor",
    ),
)

WARNINGS = (
    Rule(
        "install_script_blocked",
        INSTALL_ONLY,
        r"YN0004: │ (?P<name>\S+) lists build scripts",
        "Yarn did not run the install scripts of {name}",
        "If the app needs them: {approve}",
        _blocked,
    ),
)
