"""The app's own code: what Node.js says of it when it can't go on."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.failures.modules import file
from buildpacks.nodejs.rules import ANY, START, Evidence, Rule


def _where(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    found = file(evidence)
    named = match.groupdict().get("name") or ""
    return {"name": named, "where": f" ({found})" if found else ""}


RULES = (
    Rule(
        "route_pattern",
        ANY,
        r"(?:PathError|TypeError): (?P<name>Missing parameter name[^\n;]{0,60}"
        r"|Unexpected \W[^\n;]{0,60} at \d+, expected END)",
        "Express 5 does not take a route as it is written{where}: {name}",
        "Write '/{{*splat}}' for '*', and ':name' for each parameter; or stay with 4: "
        "{add} express@4 && {commit}",
        _where,
    ),
    Rule(
        "middleware_expected",
        ANY,
        r"TypeError: (?:Router\.use\(\)|app\.use\(\)|argument handler) "
        r"(?P<name>requires? a (?:middleware )?function[^\n]{0,40}|must be a function)"
        r"|Route\.\w+\(\) requires a callback function",
        "Express is given something that is no function{where}",
        "See what is exported there: module.exports = router, and no default beside require.",
        _where,
    ),
    Rule(
        "syntax_error",
        ANY,
        r"SyntaxError: (?P<name>[^\n]{1,200})",
        "there is a syntax error: {name}{where}",
        "The file and line stand above it; node --check <file> shows the same.",
        _where,
        is_general=True,
    ),
    Rule(
        "unhandled_rejection",
        START,
        r"ERR_UNHANDLED_REJECTION|\[UnhandledPromiseRejection|triggerUncaughtException\(err, true",
        "a promise was rejected, and nobody took it{where}",
        "See its own words above; await it inside try, or end it with .catch(…).",
        _where,
        is_general=True,
    ),
    Rule(
        "undefined_read",
        START,
        r"TypeError: Cannot read properties of (?P<name>undefined|null) \(reading '[^'\n]{1,80}'\)",
        "the app reads from {name}{where}: often a config var that is not set",
        "See which are set: paas config\nand set what is missing: paas config:set <NAME>=<value>",
        _where,
        is_general=True,
    ),
)
