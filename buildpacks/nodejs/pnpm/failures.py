"""What pnpm's output means: of an installation that failed, and of one that left something out."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.rules import (
    GIT_UNREACHABLE,
    INSTALL,
    INSTALL_ONLY,
    PRIVATE_GIT,
    Evidence,
    Rule,
    Shell,
    blocked,
    unpublished,
)

_COMMIT = "git add package.json pnpm-lock.yaml && git commit -m 'Update the lock file'"
_APPROVE = "If the app needs them: {approve}"


def _checksums(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
    """Releases before 10.34 have no option for it."""
    if "--update-checksums" in evidence.tail:
        return {"refresh": Shell("pnpm install --update-checksums --no-frozen-lockfile")}
    return {"refresh": Shell("rm -rf node_modules pnpm-lock.yaml && pnpm install")}


RULES = (
    Rule(
        "pnpm_lockfile_unreadable",
        INSTALL,
        r"ERR_PNPM_(?:LOCKFILE_BREAKING_CHANGE|BROKEN_LOCKFILE|NO_LOCKFILE)\b"
        r"|Ignoring not compatible lockfile|lockfile is incompatible with this version of pnpm",
        "this pnpm can't read pnpm-lock.yaml",
        "Name the pnpm that wrote it in package.json, e.g. with: "
        'npm pkg set packageManager="pnpm@$(pnpm --version)" && git add package.json && '
        "git commit -m 'Name the pnpm'",
    ),
    Rule(
        "pnpm_lockfile_out_of_sync",
        INSTALL,
        r"ERR_PNPM_(?:OUTDATED_LOCKFILE|FROZEN_LOCKFILE_WITH_OUTDATED_LOCKFILE"
        r"|LOCKFILE_CONFIG_MISMATCH|LOCKFILE_MISSING_DEPENDENCY)\b",
        "pnpm-lock.yaml does not agree with package.json or the settings of pnpm",
        f"pnpm install --no-frozen-lockfile && {_COMMIT}",
    ),
    Rule(
        "install_script_blocked",
        INSTALL,
        r"ERR_PNPM_IGNORED_BUILDS\b[\s\S]*?Ignored build scripts: (?P<packages>[^\n]+)",
        "pnpm refuses to run the install scripts of {name}",
        _APPROVE,
        blocked,
    ),
    Rule(
        "pnpm_unsupported_engine",
        INSTALL,
        r"ERR_PNPM_UNSUPPORTED_ENGINE[\s\S]*?(?:Your (?P<name>Node|pnpm) version is incompatible"
        r"|wanted: \{\"(?P<other>node|pnpm)\")",
        "a package asks for another version of {name}",
        "See which above. Name one that fits in engines of package.json, "
        "or update the package that asks for it.",
    ),
    Rule(
        "pnpm_bad_version",
        INSTALL,
        r"ERR_PNPM_NO_MATCHING_VERSION\b[\s\S]*?No matching version found for[\s│]+(?P<name>\S+)",
        "the registry has no {name}",
        f"Correct the version in package.json, then pnpm install && {_COMMIT}",
    ),
    unpublished("pnpm_bad_version", "pnpm"),
    Rule(
        "pnpm_too_new_version",
        INSTALL,
        r"ERR_PNPM_(?:NO_MATURE_MATCHING_VERSION|MINIMUM_RELEASE_AGE\w*)\b",
        "a dependency was published more recently than minimumReleaseAge allows",
        "Push again when it is old enough, or name it in minimumReleaseAgeExclude of "
        "pnpm-workspace.yaml.",
    ),
    Rule(
        "pnpm_package_not_found",
        INSTALL,
        r"ERR_PNPM_FETCH_404\b[\s\S]*?(?P<name>(?:@[\w.-]+/)?[\w.-]+)\s+is\s+not\s+in\s+the\s+npm",
        "the registry has no {name}",
        "Check the spelling; a private package needs its registry and token in .npmrc.",
    ),
    Rule(
        "pnpm_unauthorized",
        INSTALL,
        r"ERR_PNPM_FETCH_40[13]\b",
        "the registry refuses to hand out a dependency",
        "Put the token into a config var and name it in .npmrc: "
        "//<registry>/:_authToken=${{NPM_TOKEN}}",
    ),
    Rule(
        "pnpm_package_not_found",
        INSTALL,
        r"ERR_PNPM_FETCH_404\b(?![^\n]*/-/)",
        "the registry does not have one of the dependencies",
        "Check the spelling; a private package needs its registry and token in .npmrc.",
    ),
    Rule(
        "pnpm_workspace_package_not_found",
        INSTALL,
        r"\"(?P<name>(?:@[\w.-]+/)?[\w.-]+)@workspace:[^\"]*\"\s+is\s+in\s+the\s+dependencies",
        "there is no workspace {name}",
        "Is its folder in git, and among the packages of pnpm-workspace.yaml?",
    ),
    Rule(
        "pnpm_peer_dependency_conflict",
        INSTALL,
        r"ERR_PNPM_PEER_DEP_ISSUES\b",
        "pnpm can't satisfy all peer dependencies, and strict-peer-dependencies is on",
        "Update the packages named above, or: paas config:set "
        "NPM_CONFIG_STRICT_PEER_DEPENDENCIES=false",
    ),
    Rule(
        "pnpm_integrity",
        INSTALL,
        r"ERR_PNPM_TARBALL_INTEGRITY\b(?!\))",
        "a dependency is not what the lock file says (checksum)",
        "Look at what has changed, then: {refresh} && " + _COMMIT,
        _checksums,
    ),
    Rule(
        "pnpm_patch_failed",
        INSTALL,
        r"ERR_PNPM_(?:PATCH_NOT_APPLIED|INVALID_PATCH|PATCH_FAILED|UNUSED_PATCH|PATCH_NOT_FOUND)\b|ENOENT[^\n]*\.patch'",
        "a patch does not fit the dependency that it is for",
        "Make it anew: pnpm patch <package>, or take it out of patchedDependencies.",
    ),
    Rule(
        "pnpm_workspace_file",
        INSTALL,
        r"ERR_PNPM_INVALID_WORKSPACE_CONFIGURATION\b"
        r"|(?m:^)\s*ERROR\s+packages field missing or empty",
        "this pnpm can't read pnpm-workspace.yaml: until 10 it has nothing but packages",
        "Name the pnpm that you use in package.json: "
        'npm pkg set packageManager="pnpm@$(pnpm --version)" && git add package.json && '
        "git commit -m 'Name the pnpm'",
    ),
    PRIVATE_GIT,
    GIT_UNREACHABLE,
    Rule(
        "econnreset",
        INSTALL,
        r"ERR_PNPM_(?:META_FETCH_FAIL|FETCH_5\d\d|TARBALL_FETCH_TARBALL)\b"
        r"|(?m:^)\s*(?:ECONN\w+|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)\s+request to ",
        "the npm registry could not be reached",
        "Try again: paas builds:create. If it stays so, the operator finds why in: paas doctor",
    ),
)

WARNINGS = (
    Rule(
        "install_script_blocked",
        INSTALL_ONLY,
        r"Ignored build scripts: (?P<packages>[\s\S]{1,600}?)\.?[\s│]*(?:help: )?Run \"pnpm",
        "pnpm did not run the install scripts of {name}",
        _APPROVE,
        blocked,
    ),
)
