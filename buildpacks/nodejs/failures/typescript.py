"""What the TypeScript compiler says in a build."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.rules import BUILD, Evidence, Rule

_PLACE = r"(?P<file>[\w./@()\[\]-]+?)[(:](?P<line>\d+)[,:]\d+\)?(?::| -) error TS"


def _types(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    """The package of types that is wanted; those that are there already are not."""
    name = next((text for text in match.groupdict().values() if text), "")
    plain = name.removeprefix("@types/")
    scoped = plain.removeprefix("@").replace("/", "__") if plain.startswith("@") else plain
    wanted = f"@types/{scoped}"
    known = {**evidence.package.dependencies, **evidence.package.dev_dependencies}
    return {"name": wanted} if scoped and wanted not in known else None


def _globals(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    """From TypeScript 6 on no package of types counts unless tsconfig.json names it."""
    known = {**evidence.package.dependencies, **evidence.package.dev_dependencies}
    names = next((text for text in match.groupdict().values() if text), "")
    return {"name": names} if f"@types/{names}" in known else None


_WANTS = (
    r"error TS(?:2580|2591|2593|2592|2582|2584|2868|2867):"
    r"[^\n]*?npm i --save-dev (?P<name>@types/[\w-]+)"
    r"|error TS2688: Cannot find type definition file for '(?P<type>[^'\n]+)'"
    r"|error TS7016: Could not find a declaration file for module "
    r"'(?P<module>(?:@[\w.-]+/)?[\w.-]+)[^'\n]*'"
)

RULES = (
    Rule(
        "types_missing",
        BUILD,
        _WANTS,
        "TypeScript needs {name}, which is no dependency",
        "{add_dev} {name} && {commit}",
        _types,
    ),
    Rule(
        "types_not_named",
        BUILD,
        r"error TS(?:2580|2591|2593|2592|2582|2584):"
        r"[^\n]*?npm i --save-dev @types/(?P<name>[\w-]+)",
        "@types/{name} is there, but tsconfig.json does not name it, as TypeScript wants from 6 on",
        'In tsconfig.json, in compilerOptions: "types": ["{name}"]',
        _globals,
    ),
    Rule(
        "typescript_no_input",
        BUILD,
        r"error TS18003: No inputs were found in config file",
        "TypeScript finds no file to compile: the folders of `include` in tsconfig.json are not in "
        "the commit",
        "Let it name the folder that is: git ls-files '*.ts'",
    ),
    Rule(
        "typescript_option",
        BUILD,
        r"(?:error TS(?:5023|6046|5024|5070|5095|5102|5107|5108|5110)): (?P<name>[^\n]{1,160})",
        "the TypeScript that is installed does not take what tsconfig.json says: {name}",
        "Take that out of tsconfig.json, or name the TypeScript that you use: "
        "{add_dev} typescript@<version> && {commit}",
    ),
    Rule(
        "typescript_error",
        BUILD,
        _PLACE + r"(?P<code>\d+): (?P<name>[^\n]{1,200})",
        "{file}, line {line}: {name} (TS{code})",
        "All of them, locally: npx --package typescript tsc --noEmit",
        lambda _evidence, match: {
            "file": match["file"],
            "line": match["line"],
            "code": match["code"],
            "name": match["name"].rstrip(" ."),
        },
        is_general=True,
    ),
    Rule(
        "typescript_error",
        BUILD,
        r"error (?P<name>TS\d+):",
        "the TypeScript compiler found errors ({name})",
        "See them above; locally: npx --package typescript tsc --noEmit",
        is_general=True,
    ),
)
