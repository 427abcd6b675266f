"""Modules that are not found: spelled otherwise, not in git, not built, or not a dependency."""

import posixpath
import re
import shlex
from collections.abc import Mapping

from buildpacks import jsonc
from buildpacks.nodejs.failures import facts
from buildpacks.nodejs.rules import ANY, SCRIPTS, START, Evidence, Rule, Shell, kept
from buildpacks.tree import Tree

_NOT_FOUND = r"""(?x)
    Cannot\ find\ (?:module|package)\ '(?P<node>[^'\n]{1,200})'
  | Cannot\ find\ module\ "(?P<yarn>[^"\n]{1,200})"
  | Can't\ resolve\ '(?P<webpack>[^'\n]{1,200})'\ in\ '(?P<webpack_from>[^'\n]{1,200})'
  | Could\ not\ resolve\ "(?P<esbuild>[^"\n]{1,200})"
    (?:\ (?:from|in)\ "(?P<esbuild_from>[^"\n]{1,200})")?
  | Rollup\ failed\ to\ resolve\ import\ "(?P<vite>[^"\n]{1,200})"
    \ from\ "(?P<vite_from>[^"\n]{1,200})"
  | (?P<ts_from>[\w./@-]+)[(:]\d+[,:]\d+\)?(?::|\ -)\ error\ TS2307:
    \ Cannot\ find\ module\ '(?P<ts>[^'\n]{1,200})'
  | Your\ application\ tried\ to\ access\ (?P<pnp>[\w@/.-]+),\ but\ it\ isn't\ declared
"""
"""What Node.js, webpack, esbuild, Rollup, Vite and TypeScript say."""
_PLAIN = re.compile(r"[\w./-]+", re.ASCII)
_BUILT = ("dist", "build", "out", "lib", ".next", ".output", "server")


def _module(match: re.Match[str]) -> str:
    names = ("node", "yarn", "webpack", "esbuild", "vite", "ts", "pnp")
    return next((match[name] for name in names if match[name]), "")


def _source(evidence: Evidence, match: re.Match[str]) -> str:
    """The app's file that names the module; of webpack only its folder is known."""
    if match["webpack_from"]:
        return f"{facts.in_app(match['webpack_from'])}/"
    named = match["esbuild_from"] or match["vite_from"] or match["ts_from"]
    if named:
        return facts.in_app(named)
    following = evidence.tail[match.start() : match.start() + 3000]
    found = facts.requirer(following)
    place = re.search(r"^\s*(?:╭─\[ )?([\w./@-]+\.[cm]?[jt]sx?):\d+:\d+", following, re.MULTILINE)
    return found or (facts.in_app(place[1]) if place else "")


def _said(source: str) -> str:
    return f" ({source.rstrip('/')})" if source.rstrip("/") else ""


def _spelled(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    source = _source(evidence, match)
    path = facts.wanted(evidence, _module(match), source)
    alike = facts.spelled_alike(evidence.tree, path) if evidence.tree and path else ""
    if not alike:
        return None
    name = _module(match)
    if name.startswith("/"):
        name = _relative(path, source)
    return {
        "name": name,
        "alike": alike,
        "where": _said(source),
        "mend": Shell(_mended(name, source, path, alike)),
    }


def _relative(path: str, source: str) -> str:
    """As an import in the file `source` names it."""
    found = posixpath.relpath(path, posixpath.dirname(source) or ".")
    return found if found.startswith(".") else f"./{found}"


def _mended(module: str, source: str, path: str, alike: str) -> str:
    """The import is spelled as the file; where its file is not known, the file as the import."""
    ending = re.search(r"\.\w+$", module)
    right = _relative(re.sub(r"\.\w+$", ending[0] if ending else "", alike), source)
    if source and not source.endswith("/") and all(map(_PLAIN.fullmatch, (module, right, source))):
        return (
            f"perl -pi -e 's{{\\Q{module}\\E}}{{{right}}}g' {source} && "
            f"git commit -m 'Spell it as the file' {source}"
        )
    target = path + alike[len(path) :]
    folders = posixpath.dirname(target)
    first = f"mkdir -p {shlex.quote(folders)} && " if folders else ""
    return (
        f"{first}git mv --force {shlex.quote(alike)} {shlex.quote(target)} && "
        "git commit -m 'Spell the file as it is imported'"
    )


def _not_in_git(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    """A file of the app's own that the commit does not have, and no build makes."""
    source = _source(evidence, match)
    path = facts.wanted(evidence, _module(match), source)
    if not evidence.tree or not path or not source or path.split("/")[0] in _BUILT:
        return None
    if facts.is_there(evidence.tree, path) or evidence.tree.names(path):
        return None
    if facts.spelled_alike(evidence.tree, path):
        return None
    return {"name": _module(match), "path": path, "where": _said(source)}


def _not_built(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    """What the start names is not there: no build makes it, or at another place."""
    named = match["node"] or ""
    path = facts.in_app(named) if named.startswith(facts.ROOT) else ""
    following = evidence.tail[match.start() : match.start() + 1500]
    if not path or "Require stack:" in following or "imported from" in following:
        return None
    is_there = evidence.tree is not None and evidence.tree.read(path, 1) is not None
    return None if is_there else {"path": path}


def _compiled_elsewhere(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    """The start names a file as its TypeScript is called; tsconfig.json says where it becomes that.

    https://www.typescriptlang.org/tsconfig/#rootDir
    """
    found = _not_built(evidence, match)
    if found is None or evidence.tree is None or "Procfile" in evidence.tree.names():
        return None
    path = found["path"]
    source = facts.is_there(evidence.tree, path.removesuffix(".js") + ".ts")
    options = _compiler_options(evidence.tree)
    out, root = options.get("outDir"), options.get("rootDir")
    if not source or not isinstance(out, str) or not (isinstance(root, str) or "/" not in path):
        return None
    inside = posixpath.relpath(path, root if isinstance(root, str) else ".")
    built = posixpath.normpath(posixpath.join(out, inside))
    is_plain = _PLAIN.fullmatch(built) and not built.startswith(("..", "/")) and built != path
    return {**found, "source": source, "built": built} if is_plain else None


def _compiler_options(tree: Tree) -> Mapping[str, object]:
    try:
        read = jsonc.loads((tree.read("tsconfig.json", 64 * 1024) or b"{}").decode())
        options = read.get("compilerOptions", {})
    except (ValueError, AttributeError, RecursionError):
        return {}
    return options if isinstance(options, dict) else {}


def _not_built_without_script(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    found = _not_built(evidence, match)
    scripts = evidence.package.scripts
    if found is None or any(
        scripts.get(name, "").strip() for name in ("build", "heroku-postbuild")
    ):
        return None
    known = {**evidence.package.dependencies, **evidence.package.dev_dependencies}
    builds = next((text for name, text in _BUILDERS.items() if name in known), "")
    return {**found, "build": builds} if builds else None


_BUILDERS = {"@nestjs/cli": "nest build", "tsup": "tsup", "typescript": "tsc"}


def _dev_only(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    package = facts.package_of(_module(match))
    if not package or not facts.is_dev_only(evidence, package):
        return None
    version = evidence.package.dev_dependencies[package]
    return {
        "name": package,
        "keep": kept(evidence.typed.get("keep", ""), package, version),
        "where": _said(_source(evidence, match)),
    }


def _undeclared(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    package = facts.package_of(_module(match))
    if not package or evidence.tree is None or facts.is_declared(evidence, package):
        return None
    return {"name": package, "where": _said(_source(evidence, match))}


def _extension(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    """ES modules are named with their endings."""
    path, source = facts.in_app(match["name"]), facts.in_app(match["source"])
    if not path or not source or evidence.tree is None:
        return None
    file = facts.is_there(evidence.tree, path)
    if not file or file == path or not re.search(r"\.[cm]?js$", file):
        return None
    return {"file": file.rpartition("/")[2], "source": source, "stem": path.rpartition("/")[2]}


def _compiled_extension(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    """TypeScript leaves the names in imports as they are."""
    path, source = facts.in_app(match["name"]), facts.in_app(match["source"])
    known = {**evidence.package.dependencies, **evidence.package.dev_dependencies}
    if not path or source.split("/")[0] not in _BUILT or "typescript" not in known:
        return None
    return {"stem": path.rpartition("/")[2], "source": source}


_ESM = (
    r"ERR_MODULE_NOT_FOUND\]: Cannot find module '(?P<name>/app/[^'\n]{1,200})' "
    r"imported from (?P<source>/app/\S{1,200})"
    r"|ERR_UNSUPPORTED_DIR_IMPORT\]: Directory import '(?P<folder>/app/[^'\n]{1,200})' is not "
    r"supported resolving ES modules imported from (?P<importer>/app/\S{1,200})"
)


RULES = (
    Rule(
        "wrong_case",
        ANY,
        _NOT_FOUND,
        "there is no {name}{where}: the file is called {alike}, and Linux tells capitals apart",
        "{mend}",
        _spelled,
    ),
    Rule(
        "import_without_extension",
        ANY,
        _ESM,
        "{source} imports {stem} without the ending of its file, which ES modules need",
        "Write {file} there.",
        lambda evidence, match: _extension(evidence, match) if match["name"] else None,
    ),
    Rule(
        "import_without_extension",
        ANY,
        _ESM,
        "{source} imports {stem} without the ending of its file: TypeScript leaves that as it is",
        "Write './{stem}.js' in the source, also for a .ts file; or let Node.js load CommonJS: "
        "npm pkg set type=commonjs && npx tsc --module commonjs",
        lambda evidence, match: _compiled_extension(evidence, match) if match["name"] else None,
    ),
    Rule(
        "import_of_folder",
        ANY,
        r"ERR_UNSUPPORTED_DIR_IMPORT\]: Directory import '(?P<name>[^'\n]{1,200})' is not "
        r"supported resolving ES modules imported from (?P<source>\S{1,200})",
        "{source} imports the folder {folder}: ES modules name a file",
        "Write {folder}/index.js there.",
        lambda _evidence, match: {
            "source": facts.in_app(match["source"]) or match["source"],
            "folder": match["name"].rstrip("/").rpartition("/")[2],
        },
    ),
    Rule(
        "start_file_missing",
        START,
        _NOT_FOUND,
        "the start names {path}, which no build makes: package.json has no build script",
        "npm pkg set scripts.build='{build}' && git add package.json && "
        "git commit -m 'Say how to build'",
        _not_built_without_script,
    ),
    Rule(
        "start_file_missing",
        START,
        _NOT_FOUND,
        "the start names {path}: its source is {source}, which is compiled into {built}",
        "npm pkg set scripts.start='node {built}' && git add package.json && "
        "git commit -m 'Start what is built'",
        _compiled_elsewhere,
    ),
    Rule(
        "start_file_missing",
        START,
        _NOT_FOUND,
        "the start names {path}, which is neither in git nor made by the build",
        "See what the build makes: {install} && {run_build} && git status --short --ignored\n"
        "and name that: npm pkg set scripts.start='node <file>' && git add package.json && "
        "git commit -m 'Start what is built'",
        _not_built,
    ),
    Rule(
        "dev_dependency_at_run",
        START,
        _NOT_FOUND,
        "{name} is a dev dependency, and gone when the app starts, which needs it{where}",
        "{keep} && {commit}",
        _dev_only,
    ),
    Rule(
        "file_not_in_git",
        ANY,
        _NOT_FOUND,
        "there is no {path} in the commit{where}",
        "If it is there on your side, git ignores it: git add --force {path}* && "
        "git commit -m 'Add what is imported'",
        _not_in_git,
    ),
    Rule(
        "dependency_missing",
        ANY,
        _NOT_FOUND,
        "{name} is no dependency in package.json, but the app imports it{where}",
        "{add} {name} && {commit}",
        _undeclared,
    ),
    Rule(
        "module_not_found",
        (*SCRIPTS, *START),
        r"Cannot find (?:module|package) '(?P<name>[^'\n]{1,200})'",
        "there is no module {name}",
        "Is it in dependencies (dev dependencies are gone when the app starts)? "
        "Is the file in git, and its name spelled alike, capitals too?",
        is_general=True,
    ),
)
