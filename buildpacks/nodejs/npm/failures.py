"""What npm's output means when an installation has failed."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.rules import (
    GIT_UNREACHABLE,
    INSTALL,
    INSTALL_ONLY,
    PRIVATE_GIT,
    Evidence,
    Rule,
    blocked,
    unpublished,
)

_COMMIT = "git add package.json package-lock.json && git commit -m 'Update the lock file'"


def _disagreement(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str]:
    found = re.search(
        r"(?:Missing|Invalid): (?P<said>[^\n]{1,160})", evidence.tail.replace("lock file's ", "")
    )
    return {"name": f" ({found[0]})" if found else ""}


RULES = (
    Rule(
        "npm_package_not_found",
        INSTALL,
        r"Missing: (?P<name>[@\w./~-]+)@ from lock file",
        "a dependency wants {name}, which the registry did not have when the lock file was made",
        "Which dependency it is says: node -p \"Object.entries(require('./package-lock.json')"
        ".packages).filter(([, p]) => '{name}' in {{...p.dependencies, ...p.optionalDependencies, "
        "...p.peerDependencies}}).map(([path, p]) => path + ' ' + p.version)\"\n"
        "Use a release of it that does without, then commit package.json and the lock file.",
    ),
    Rule(
        "npm_lockfile_out_of_sync",
        INSTALL,
        r"npm ci` can only install packages when your package\.json|Please update your lock file",
        "package-lock.json does not agree with package.json{name}",
        f"npm install && {_COMMIT}",
        _disagreement,
    ),
    Rule(
        "npm_peer_dependency_conflict",
        INSTALL,
        r"npm (?:error|ERR!)[^\n]* ERESOLVE\b[\s\S]*?"
        r"Could not resolve dependency:\s+npm (?:error|ERR!) peer(?:Optional)? "
        r"(?P<wanted>\S+?@\"[^\"\n]+\") from (?P<name>\S+)",
        "{name} wants {wanted}, and the app has another",
        f"Take a release of it that fits: npm install {{package}}@latest && {_COMMIT}\n"
        "or let npm not mind: paas config:set NPM_CONFIG_LEGACY_PEER_DEPS=true",
        lambda _evidence, match: {
            "name": match["name"],
            "package": match["name"].rpartition("@")[0],
            "wanted": match["wanted"].replace('"', ""),
        },
    ),
    Rule(
        "npm_peer_dependency_conflict",
        INSTALL,
        r"npm (?:error|ERR!)[^\n]* ERESOLVE\b",
        "npm can't find versions that satisfy all peer dependencies",
        "Update the packages named above, or: paas config:set NPM_CONFIG_LEGACY_PEER_DEPS=true",
        is_general=True,
    ),
    unpublished("npm_bad_version", "npm"),
    Rule(
        "npm_bad_version",
        INSTALL,
        r"\bETARGET\b[\s\S]*?No matching version found for (?P<name>(?:@[^\s/]+/)?[^\s@]+)"
        r"@(?P<version>\S+?)\.?\s",
        "the registry has no {name}@{version}",
        f"See which there are: npm view {{name}} versions\n"
        f"and take one: npm install {{name}}@latest && {_COMMIT}",
        lambda _evidence, match: {"name": match["name"], "version": match["version"]},
    ),
    Rule(
        "npm_integrity",
        INSTALL,
        r"\bEINTEGRITY\b",
        "a dependency is not what the lock file says (checksum)",
        "If you trust the registry: rm -rf node_modules package-lock.json && npm install && "
        f"{_COMMIT}",
    ),
    Rule(
        "npm_package_not_found",
        INSTALL,
        r"\bE404\b[\s\S]*?'(?P<name>@[^'\s/]+/[^'\s@]+)(?:@[^'\s]*)?' (?:is not in this registry"
        r"|could not be found)",
        "the registry has no {name}, or shows it to nobody without a token",
        "If it is private: echo '//registry.npmjs.org/:_authToken=${{NPM_TOKEN}}' >> .npmrc && "
        "git add .npmrc && git commit -m 'Log in to the registry'\n"
        "paas config:set NPM_TOKEN=<token>",
    ),
    Rule(
        "npm_package_not_found",
        INSTALL,
        r"\bE404\b[\s\S]*?'(?P<name>[^'\s@/]+)(?:@[^'\s]*)?' (?:is not in this registry"
        r"|could not be found)",
        "the registry has no {name}: is that how it is spelled?",
        f"npm uninstall {{name}} && npm install <its name> && {_COMMIT}",
    ),
    Rule(
        "npm_package_not_found",
        INSTALL,
        r"\b(?:code )E404\b",
        "the registry does not have one of the dependencies",
        "Check the spelling; a private package needs its registry and token in .npmrc.",
        is_general=True,
    ),
    Rule(
        "npm_unauthorized",
        INSTALL,
        r"\bcode E40[13]\b|\bENEEDAUTH\b",
        "the registry refuses to hand out a dependency",
        "Name the token in .npmrc, //<registry>/:_authToken=${{NPM_TOKEN}}, and set it: "
        "paas config:set NPM_TOKEN=<token>",
    ),
    Rule(
        "npm_bad_platform",
        INSTALL,
        r"\bEBADPLATFORM\b[\s\S]*?Unsupported platform for (?P<name>(?:@[^\s/]+/)?[^\s@]+)@",
        "{name} does not run on Linux, or not on this processor",
        "If the app does without it here: npm uninstall {name} && npm install --save-optional "
        f"{{name}} && {_COMMIT}",
    ),
    Rule(
        "npm_bad_engine",
        INSTALL,
        r"code EBADENGINE\b[\s\S]*?Not compatible with your version of node/npm: (?P<name>\S+)"
        r"[\s\S]*?Required: \{[^\n]*?\"node\":\"(?P<wanted>[^\"\n]+)\"",
        "{name} wants Node.js {wanted}, and engine-strict is on in .npmrc",
        "npm pkg set engines.node={wanted} && git add package.json && "
        "git commit -m 'Use the Node.js that it wants'",
        lambda _evidence, match: {"name": match["name"], "wanted": match["wanted"]},
    ),
    PRIVATE_GIT,
    GIT_UNREACHABLE,
    Rule(
        "npm_git_dependency",
        INSTALL,
        r"npm (?:error|ERR!) code 128\b|\bspawn git\b|\bEALLOWGIT\b",
        "a dependency that comes from a git repository could not be fetched",
        "Publish it to a registry, or name a tarball.",
        is_general=True,
    ),
    Rule(
        "install_script_blocked",
        INSTALL,
        r"\bESTRICTALLOWSCRIPTS\b",
        "npm refuses to run the install scripts of a dependency",
        "npm approve-scripts, then commit package.json",
    ),
)

WARNINGS = (
    Rule(
        "install_script_blocked",
        INSTALL_ONLY,
        r"had install scripts blocked[^\n]*"
        r"(?P<packages>(?:\s*npm warn install-scripts   \S+@[^\n]+)+)",
        "npm did not run the install scripts of {name}",
        "If the app needs them: {approve}",
        blocked,
    ),
)
