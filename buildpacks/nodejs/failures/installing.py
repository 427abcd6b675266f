"""Installations: scripts of dependencies and of the app's own that fail."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.failures import facts
from buildpacks.nodejs.rules import INSTALL, Evidence, Rule


def _whose(_evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    path = match["path"]
    name = path.rpartition("node_modules/")[2] if "node_modules/" in path else ""
    package = facts.package_of(name)
    return {"name": package, "script": match["script"].strip()} if package else None


def _own(_evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    return {"script": match["script"].strip()} if match["path"] == "/app" else None


_SCRIPT = (
    r"npm (?:error|ERR!) path (?P<path>/app\S*)\s+npm (?:error|ERR!) command failed\s+"
    r"npm (?:error|ERR!) command (?:sh -c )?(?P<script>[^\n]{1,200})"
)

RULES = (
    Rule(
        "install_script_failed",
        INSTALL,
        _SCRIPT,
        "the install script of {name} failed: {script}",
        "See its own words above. If the app does without it: paas config:set "
        "NPM_CONFIG_IGNORE_SCRIPTS=true",
        _whose,
        is_general=True,
    ),
    Rule(
        "own_install_script_failed",
        INSTALL,
        _SCRIPT,
        "the app's own install script failed: {script}",
        "See its own words above; locally, with a fresh clone: {install}\n"
        "(scripts.preinstall, install, postinstall and prepare in package.json)",
        _own,
        is_general=True,
    ),
)
