"""import and require: the two kinds of modules, mixed up."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.failures import facts
from buildpacks.nodejs.rules import ANY, Evidence, Rule

_TO_MODULE = "npm pkg set type=module && git add package.json && git commit -m 'Use ES modules'"
_NEWER = (
    "npm pkg set engines.node=24.x && git add package.json && git commit -m 'Use a newer Node.js'"
)
_WITH_TSX = (
    "{add} tsx && npm pkg set scripts.start='tsx <file>' && git add {files} && "
    "git commit -m 'Run it with tsx'\n"
    "or let a build script make JavaScript of it, and start that"
)


def file(evidence: Evidence) -> str:
    """The app's file that Node.js shows at the head of an error, or at the top of its stack."""
    head = re.findall(r"^\s*(?:file://)?(/app/[^\s:()]+):(\d+)$", evidence.tail, re.MULTILINE)
    stack = re.findall(r"(?:file://)?(/app/[^\s:()]+):(\d+):\d+", evidence.tail)
    for path, line in (*head, *stack):
        if facts.in_app(path):
            return f"{facts.in_app(path)}, line {line}"
    return ""


def _where(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
    return {"where": file(evidence) or "a file"}


def _all_require(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    """`type` says module, and the file is plain CommonJS: the field is what is wrong."""
    where = file(evidence)
    path = where.partition(",")[0]
    content = (evidence.tree.read(path, 256 * 1024) if evidence.tree and path else None) or b""
    uses_import = re.search(rb"^\s*(?:import\b(?!\()|export\b)", content, re.MULTILINE)
    said = evidence.package.fields.get("type") == "module"
    if not content or uses_import or not said or not path.endswith(".js"):
        return None
    return {"where": where}


def _old(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    shown = re.search(r"Node\.js v(\d+)\.", evidence.tail)
    return {"where": file(evidence) or "a file"} if shown and int(shown[1]) < 22 else None


RULES = (
    Rule(
        "import_outside_module",
        ANY,
        r"SyntaxError: Cannot use import statement outside a module"
        r"|SyntaxError: Unexpected token 'export'"
        r"|SyntaxError: Cannot use 'import\.meta' outside a module",
        "{where}, uses import, but is taken for CommonJS",
        _TO_MODULE,
        _where,
    ),
    Rule(
        "require_in_module",
        ANY,
        r"ReferenceError: (?:require|module|exports) is not defined in ES module scope"
        r"|(?:require|module|exports) is not defined in ES module scope",
        '{where}, uses require, but "type": "module" in package.json makes it an ES module',
        "npm pkg delete type && git add package.json && git commit -m 'Use CommonJS'",
        _all_require,
    ),
    Rule(
        "require_in_module",
        ANY,
        r"(?P<name>require|module|exports) is not defined in ES module scope",
        "{where}, mixes require with import",
        "Write import in place of require there; or where that can't be: "
        "import {{ createRequire }} from 'node:module'; "
        "const require = createRequire(import.meta.url);",
        _where,
    ),
    Rule(
        "dirname_in_module",
        ANY,
        r"(?P<name>__dirname|__filename) is not defined(?: in ES module scope)?",
        "{where}, uses {name}, which ES modules do not have",
        "Write import.meta.dirname for __dirname, import.meta.filename for __filename.",
        lambda evidence, match: {"name": match["name"], "where": file(evidence) or "a file"},
    ),
    Rule(
        "require_of_module",
        ANY,
        r"ERR_REQUIRE_ASYNC_MODULE",
        "{where}, loads with require what waits at its top level (await): only import can",
        "Write there: await import('<name>'), or in an ES module: import",
        _where,
    ),
    Rule(
        "require_of_module",
        ANY,
        r"ERR_REQUIRE_ESM",
        "{where}, loads an ES module with require, which Node.js can from 22 on only",
        _NEWER,
        _where,
    ),
    Rule(
        "typescript_at_run",
        ANY,
        r"ERR_UNKNOWN_FILE_EXTENSION\]?:? Unknown file extension \"(?P<name>\.[cm]?tsx?)\"",
        "Node.js is given a {name} file, which it can run from 22.18 on only",
        _NEWER,
        _old,
    ),
    Rule(
        "typescript_at_run",
        ANY,
        r"Unknown file extension \"(?P<name>\.[cm]?tsx?|\.jsx|\.vue|\.svelte)\"",
        "Node.js is given a {name} file, which it does not run",
        _WITH_TSX,
    ),
    Rule(
        "typescript_at_run",
        ANY,
        r"ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX"
        r"|TypeScript (?P<name>\w+) is not supported in strip-only mode",
        "{where}, has TypeScript that is more than types (enum, namespace, parameter properties)",
        _WITH_TSX,
        _where,
    ),
    Rule(
        "await_outside_module",
        ANY,
        r"await is only valid in async functions and the top level bodies of modules",
        "{where}, uses await at its top level, which only ES modules may",
        _TO_MODULE,
        _where,
    ),
    Rule(
        "json_import_without_type",
        ANY,
        r"ERR_IMPORT_ATTRIBUTE_MISSING\]: Module \"(?P<name>[^\"\n]+)\" needs an import attribute",
        "a JSON file is imported without saying so ({name})",
        "Write: import data from './<file>.json' with {{ type: 'json' }};",
        lambda _evidence, match: {"name": facts.in_app(match["name"]) or match["name"]},
    ),
    Rule(
        "package_path_not_exported",
        ANY,
        r"Package subpath '(?P<path>[^'\n]+)' is not defined by \"exports\" in "
        r"/app/node_modules/(?P<package>(?:@[\w.-]+/)?[\w.-]+)/package\.json"
        r"|No \"exports\" main defined in /app/node_modules/(?P<main>(?:@[\w.-]+/)?[\w.-]+)/",
        "{name} does not let others load {path}: a newer release of it has closed that",
        "See which releases there are: npm view {name} versions\n"
        "and take the one that the app was written for: {add} {name}@<version> && {commit}",
        lambda _evidence, match: {
            "name": match["package"] or match["main"],
            "path": match["path"] or "its main file",
        },
    ),
    Rule(
        "export_missing",
        ANY,
        r"SyntaxError: The requested module '(?P<module>[^'\n]{1,200})' does not provide an export "
        r"named '(?P<name>[^'\n]{1,100})'"
        r"|SyntaxError: Named export '(?P<other>[^'\n]{1,100})' not found",
        "{where}, imports {name}, which the module does not export by that name",
        "Of a CommonJS package the whole is imported: import pkg from '<module>'; "
        "const {{ {name} }} = pkg;",
        lambda evidence, match: {
            "name": match["name"] or match["other"],
            "where": file(evidence) or "a file",
        },
    ),
    Rule(
        "esm_mismatch",
        ANY,
        r"ERR_REQUIRE_ESM|ERR_AMBIGUOUS_MODULE_SYNTAX",
        "import and require are mixed up",
        'Set "type": "module" in package.json for import, or use the extension .mjs or .cjs.',
        is_general=True,
    ),
)
