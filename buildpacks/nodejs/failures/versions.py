"""The app's code and dependencies want another version of Node.js than it has."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.rules import ANY, Evidence, Rule

_COMMIT = "git add package.json && git commit -m 'Use another Node.js'"
_TOO_OLD = (
    r"(?:requires|require a minimum|need(?:s)?)[^\n]{0,60}Node(?:\.js)?(?: version)?[^\n]{0,10}?"
    r"(?:v|>=|\"|\^| )+(?P<name>\d+)"
    r"|For Next\.js, Node\.js version \"[>=^]*(?P<next>\d+)[^\"]*\" is required"
    r"|minimum Node\.js version of v?(?P<angular>\d+)"
    r"|Node\.js v\d+[\d.]* is not supported by Astro[\s\S]{0,120}?(?:>=|v)\s?(?P<astro>\d+)"
)
_NEW_THINGS = (
    r"(?P<name>fetch|structuredClone|WebSocket|CustomEvent|File|navigator|crypto) is not defined"
    r"|TypeError: (?P<method>[\w.]*(?:withResolvers|toSorted|toReversed|findLast|hasOwn|replaceAll"
    r"|groupBy|isSubsetOf|crypto\.hash|styleText|parseEnv|loadEnvFile|stripTypeScriptTypes"
    r"|getBuiltinModule)) is not a function"
    r"|TypeError: (?P<hash>crypto\$?\d*\.hash) is not a function"
    r"|node: bad option: (?P<option>--\S+)"
    r"|ERR_UNKNOWN_BUILTIN_MODULE\]: No such built-in module: (?P<module>\S+)"
    r"|does not provide an export named '(?P<export>styleText|parseArgs|register)'"
)


def _wanted(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    number = next((text for text in match.groupdict().values() if text), "")
    if not number or not 14 <= int(number) <= 99:
        return None
    shown = re.search(r"Node\.js v?(\d+)\.", evidence.tail)
    return (
        {"name": number if int(number) % 2 == 0 else str(int(number) + 1)}
        if shown or number
        else None
    )


def _new(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    """Only where what runs is older than the LTS release that is recommended."""
    shown = re.search(r"Node\.js v(\d+)\.", evidence.tail)
    asked = re.search(r"\d+", evidence.package.engines.get("node", ""))
    major = int((shown and shown[1]) or (asked and asked[0]) or 0)
    name = next((text for text in match.groupdict().values() if text), "")
    return {"name": name, "major": str(major)} if 0 < major < 24 else None


RULES = (
    Rule(
        "node_too_old",
        ANY,
        _TOO_OLD,
        "a dependency needs Node.js {name} or newer",
        "npm pkg set engines.node={name}.x && " + _COMMIT,
        _wanted,
    ),
    Rule(
        "node_too_old",
        ANY,
        _NEW_THINGS,
        "the app uses {name}, which Node.js {major} does not have",
        "npm pkg set engines.node=24.x && " + _COMMIT,
        _new,
    ),
    Rule(
        "node_too_new",
        ANY,
        r"ReferenceError: primordials is not defined",
        "a dependency (graceful-fs before 4.2, by way of gulp 3) does not run on Node.js 12 and "
        "later",
        "npm pkg set overrides.graceful-fs=^4.2.11 && {install} && {commit}",
    ),
    Rule(
        "openssl_unsupported_algorithm",
        ANY,
        r"ERR_OSSL_EVP_UNSUPPORTED|error:0308010C:digital envelope routines",
        "a bundler from the time before Node.js 17 uses a hash that OpenSSL 3 does not have",
        "Update webpack to 5, or: paas config:set NODE_OPTIONS=--openssl-legacy-provider",
    ),
    Rule(
        "removed_from_node",
        ANY,
        r"TypeError: (?P<name>(?:util\.(?:isArray|isRegExp|isDate|isError|isString|isObject"
        r"|isFunction|isUndefined|isNull|isNumber|isBoolean|log|_extend)|fs\.exists|crypto\.createCipher"
        r"|crypto\.DEFAULT_ENCODING|process\.binding|url\.parse|SlowBuffer)) is not a function"
        r"|The module '(?P<module>punycode|sys)' was not found"
        r"|Cannot read properties of undefined \(reading '(?P<slow>prototype)'\)[\s\S]{0,200}"
        r"buffer-equal-constant-time",
        "a dependency uses {name}, which Node.js no longer has",
        "Update it; until then an older Node.js: npm pkg set engines.node=22.x && " + _COMMIT,
    ),
)
