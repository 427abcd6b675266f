"""Commands and scripts: not there, not executable, not for Linux."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.rules import ANY, BUILD, START, Evidence, Rule, Shell, kept

_PACKAGES = {
    **{name: name for name in ("vite", "next", "nuxt", "astro", "husky", "rimraf", "cross-env")},
    **{name: name for name in ("tsx", "ts-node", "nodemon", "prisma", "webpack", "concurrently")},
    **{
        name: name for name in ("esbuild", "tsup", "rollup", "parcel", "gatsby", "copyfiles", "shx")
    },
    **{name: name for name in ("mkdirp", "tsc-alias", "sass", "eslint", "jest", "lerna", "turbo")},
    **{
        name: name
        for name in ("nx", "patch-package", "only-allow", "react-scripts", "pm2", "serve")
    },
    **{name: name for name in ("env-cmd", "vitest", "lint-staged", "simple-git-hooks", "knex")},
    **{name: name for name in ("sequelize-cli", "typeorm", "drizzle-kit", "vitepress", "vinxi")},
    "tsc": "typescript",
    "ng": "@angular/cli",
    "nest": "@nestjs/cli",
    "vue-cli-service": "@vue/cli-service",
    "vue-tsc": "vue-tsc",
    "react-router": "@react-router/dev",
    "react-router-serve": "@react-router/serve",
    "remix": "@remix-run/dev",
    "remix-serve": "@remix-run/serve",
    "eleventy": "@11ty/eleventy",
    "docusaurus": "@docusaurus/core",
    "run-s": "npm-run-all",
    "run-p": "npm-run-all",
    "npm-run-all": "npm-run-all",
    "babel": "@babel/cli",
    "babel-node": "@babel/node",
    "dotenv": "dotenv-cli",
    "tailwindcss": "@tailwindcss/cli",
    "postcss": "postcss-cli",
    "svelte-kit": "@sveltejs/kit",
    "biome": "@biomejs/biome",
    "swc": "@swc/cli",
}
"""Which package brings a command, for those of which the lock file can't say. Nothing is guessed:
a package of the command's own name may be somebody else's."""
_WINDOWS = {
    "copy": "cp",
    "xcopy": "cp -r",
    "del": "rm -f",
    "erase": "rm -f",
    "move": "mv",
    "ren": "mv",
    "rd": "rm -rf",
    "cls": "clear",
    "start": "node",
    "call": "sh",
    "where": "command -v",
    "robocopy": "cp -r",
    "powershell": "sh",
    "cmd": "sh -c",
}
_NOT_FOUND = (
    r"(?:sh: (?:line )?\d+: |exec: |sh: |/bin/sh: \d+: )(?P<name>[\w./@-]+): (?:command )?not found"
    r"|(?:bun|yarn|pnpm): command not found: (?P<bun>[\w./@-]+)"
    r"|command not found: (?P<plain>[\w./@-]+)"
    r'|exec: "(?P<other>[^"\s]+)": (?:executable file not found|stat )'
)


def _named(match: re.Match[str]) -> str:
    return next((text for text in match.groupdict().values() if text), "")


def _brought(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    """Nothing in package.json brings the command, and which package does is known."""
    command = _named(match)
    package = _PACKAGES.get(command, "")
    known = {**evidence.package.dependencies, **evidence.package.dev_dependencies}
    if not package or package in known or evidence.tree is None:
        return None
    add = evidence.typed["add"] if evidence.step == "start" else evidence.typed["add_dev"]
    return {"name": command, "package": package, "told": Shell(add)}


def _dev_only(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    command = _named(match)
    package = _PACKAGES.get(command, command)
    if package not in evidence.package.dev_dependencies:
        return None
    version = evidence.package.dev_dependencies[package]
    keep = kept(evidence.typed.get("keep", ""), package, version)
    return {"name": command, "package": package, "keep": keep}


def _of_windows(_evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    command = _named(match)
    linux = _WINDOWS.get(command.lower().removesuffix(".exe"), "")
    return {"name": command, "linux": linux} if linux else None


def _system(_evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    command = _named(match)
    return {"name": command} if command in _SYSTEM else None


_SYSTEM = frozenset(
    (
        *("docker", "docker-compose", "sudo", "apt-get", "apt", "ffmpeg", "java", "psql", "mysql"),
        *("convert", "magick", "chromium", "google-chrome", "redis-cli", "mongod", "php", "ruby"),
        *("go", "cargo", "rustc", "gs", "pdftk", "wkhtmltopdf", "systemctl", "service", "nginx"),
    )
)


RULES = (
    Rule(
        "crlf_script",
        ANY,
        r"env: \W?(?P<name>[\w.-]+)(?:'\$')?\\r\W*: No such file|\$'\\r': command not found"
        r"|bad interpreter: [^\n]*\^M",
        "a script's lines end as on Windows (CRLF), so that Linux finds no interpreter for it",
        "echo '* text=auto eol=lf' >> .gitattributes && git add --renormalize . && "
        "git commit -m 'Line ends of Linux'",
    ),
    Rule(
        "not_executable",
        ANY,
        r"(?:sh: (?:line )?\d+: |exec: )(?P<name>[\w./@-]+): Permission denied"
        r'|exec: "(?P<first>[^"\s]+)": permission denied',
        "{name} may not be executed",
        "git update-index --chmod=+x {name} && git commit -m 'Make it executable'",
    ),
    Rule(
        "not_a_git_repository",
        BUILD,
        r"fatal: not a git repository",
        "a script asks git, but there is no repository in a build, only its files",
        "The commit is in the variable SOURCE_VERSION.\n"
        "or, for the hooks of developers: npm pkg set "
        "scripts.prepare='husky || true' && git add package.json && git commit -m 'Hooks are not "
        "for builds'",
    ),
    Rule(
        "shell_syntax",
        ANY,
        r"sh: (?:line )?\d+: (?P<name>Syntax error: [^\n]{1,120}|Bad substitution|\[\[: not found)"
        r"|sh: (?:line )?\d+: (?P<other>source): not found",
        "a script is not in the language of sh: {name}",
        "Scripts are run by sh, not bash: call bash -c '…', or a file with #!/usr/bin/env bash.",
    ),
    Rule(
        "windows_command",
        ANY,
        _NOT_FOUND,
        "{name} is a command of Windows; builds and instances run Linux",
        "Write {linux} in its place, or for both systems: {add_dev} shx && {commit}",
        _of_windows,
    ),
    Rule(
        "command_is_dev_dependency",
        START,
        _NOT_FOUND,
        "{name} comes with {package}, a dev dependency, which is gone when the app starts",
        "{keep} && {commit}",
        _dev_only,
    ),
    Rule(
        "command_missing",
        ANY,
        _NOT_FOUND,
        "{name} comes with {package}, which is no dependency in package.json",
        "{told} {package} && {commit}",
        _brought,
    ),
    Rule(
        "system_command_missing",
        ANY,
        _NOT_FOUND,
        "there is no program {name} here: builds have git, curl, python3 and compilers, instances "
        "what Node.js needs",
        "Use a package that brings it (ffmpeg-static, @sparticuz/chromium …), "
        "or do that elsewhere.",
        _system,
    ),
    Rule(
        "command_not_found",
        ANY,
        _NOT_FOUND,
        "there is no command {name}",
        "Add the package that brings it to dependencies "
        "(dev dependencies are gone when the app starts).",
        is_general=True,
    ),
    Rule(
        "missing_script",
        ANY,
        r"Missing script: \"?(?P<name>[\w:.-]+)|error Command \"(?P<yarn>[\w:.-]+)\" not found"
        r"|Couldn't find a script named \"(?P<berry>[\w:.-]+)\""
        r"|Script not found \"(?P<bun>[\w:.-]+)\"",
        "package.json has no script {name}",
        "Add it: npm pkg set scripts.{name}='<command>' && git add package.json && "
        "git commit -m 'Add a script'\nor correct the name where it is called.",
    ),
)
