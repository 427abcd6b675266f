"""Native modules and downloaded binaries: not built, not fetched, not for this system."""

import re
from collections.abc import Mapping

from buildpacks.findings import Refused
from buildpacks.nodejs import asked
from buildpacks.nodejs.failures import facts
from buildpacks.nodejs.rules import ANY, BUILD, INSTALL, START, Evidence, Rule, Shell, approval

_AT = r"/app/node_modules/(?:\.pnpm/[^/\s']+/node_modules/)?(?P<package>(?:@[\w.~-]+/)?[\w.~-]+)"
_SKIPS = {
    "puppeteer": "PUPPETEER_SKIP_DOWNLOAD",
    "cypress": "CYPRESS_INSTALL_BINARY=0",
    "playwright": "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD",
    "electron": "ELECTRON_SKIP_BINARY_DOWNLOAD",
    "@sentry/cli": "SENTRYCLI_SKIP_DOWNLOAD",
    "chromedriver": "CHROMEDRIVER_SKIP_DOWNLOAD",
    "geckodriver": "GECKODRIVER_SKIP_DOWNLOAD",
}
"""What tells a package that its program is not needed."""


_PNPM_OF_WORKSPACE_FILE = 11
_FINDERS = (
    *("bindings", "node-gyp-build", "node-gyp-build-optional-packages", "file-uri-to-path"),
    *("node-gyp", "prebuild-install"),
)


def _unbuilt(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    """The package whose binary is not there, if its files can be made by an install script."""
    package = facts.package_of(match["package"]) if match["package"] else _last(evidence)
    if not package or not evidence.typed.get("approve"):
        return None
    return {"name": package, "approve": approval(evidence.typed["approve"], [package])}


def _last(evidence: Evidence) -> str:
    """The package that was compiled, or the first of the stack that does not only look for
    binaries or make them."""
    compiled = re.search(rf"gyp (?:ERR!|error) cwd {_AT}\s", evidence.tail)
    found = [compiled["package"]] if compiled else re.findall(_AT, evidence.tail)
    return next((name for name in found if name not in _FINDERS), "")


def _compiled(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
    """Whose compilation it was."""
    name = _last(evidence)
    return {"name": name or "a native module"}


def _header(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    return {"name": _last(evidence) or "a native module", "file": match["file"]}


def _download(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    package = next(
        (name for name in _SKIPS if re.search(rf"/{name}\b|\b{name}[@ ]", evidence.tail)), ""
    )
    if not package:
        return None
    name, _, value = _SKIPS[package].partition("=")
    return {"package": package, "variable": Shell(f"{name}={value or 'true'}")}


def _old_sharp(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
    """sharp itself, or all of whatever brings it, from the release on whose binary is a package.

    https://sharp.pixelplumbing.com/changelog/v0.33.0/
    """
    commit = evidence.typed.get("commit", "")
    if "sharp" in {**evidence.package.dependencies, **evidence.package.dev_dependencies}:
        takes = f"{evidence.typed.get('add', '')} sharp@^0.34"
    elif evidence.typed.get("manager") == "pnpm" and _pnpm_of_workspace_file(evidence):
        # pnpm 11 and later read nothing of the field `pnpm` in package.json.
        commit = commit.replace(" pnpm-lock.yaml", " pnpm-lock.yaml pnpm-workspace.yaml")
        takes = (
            """pnpm config set --location=project overrides '{"sharp":"^0.34"}' --json"""
            " && pnpm install --lockfile-only --no-frozen-lockfile"
        )
    else:
        places = {"yarn": "resolutions", "berry": "resolutions", "pnpm": "pnpm.overrides"}
        place = places.get(evidence.typed.get("manager", ""), "overrides")
        frozen = " --lockfile-only --no-frozen-lockfile" if place == "pnpm.overrides" else ""
        install = evidence.typed.get("install", "")
        takes = f"npm pkg set {place}.sharp=^0.34 && {install}{frozen}"
    return {"take": Shell(takes), "commit": Shell(commit)}


def _pnpm_of_workspace_file(evidence: Evidence) -> bool:
    """Whether the app asks for a pnpm that has its settings in pnpm-workspace.yaml alone. Without a
    word 10 is taken (lock files tell no more), which reads both."""
    try:
        wanted = asked.read(evidence.package, "pnpm").ranges.values()
    except Refused:
        return False
    majors = [int(found[0]) for text in wanted if (found := re.search(r"\d+", text))]
    return any(major >= _PNPM_OF_WORKSPACE_FILE for major in majors)


def _committed(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
    """node_modules in git has what another system built."""
    tree = evidence.tree
    return {} if tree and "node_modules/" in tree.names() else None


RULES = (
    Rule(
        "binary_of_another_system",
        ANY,
        r"invalid ELF header|cannot execute binary file: Exec format error|wrong ELF class"
        r"|\bEXEC FORMAT ERROR\b|Exec format error|spawn \S+ ENOEXEC"
        r"|binaries cannot be used on the 'linux",
        "node_modules is in git, with binaries that another system made: Linux can't load them",
        "git rm -r -q --cached node_modules && echo node_modules/ >> .gitignore && "
        "git add .gitignore && git commit -m 'Leave node_modules to the build'",
        _committed,
    ),
    Rule(
        "binary_of_another_system",
        ANY,
        r"(?:Error: )?(?P<name>/app/[^\s:']+)?:? ?(?:invalid ELF header|wrong ELF class)"
        r"|(?P<other>\S+): cannot execute binary file",
        "{name} was made for another system",
        "Take it out of git, so that the build makes its own: git rm --cached {name} && "
        "git commit -m 'Leave it to the build'",
        lambda _evidence, match: {
            "name": facts.in_app(match["name"] or match["other"] or "") or "a file"
        },
    ),
    Rule(
        "libc6_incompatibility",
        ANY,
        r"version `(?P<name>GLIBC\w*_[\d.]+)' not found",
        "a binary needs {name}, which the stack does not have",
        "Install the dependency in the build (not from a copied node_modules), or an older one.",
    ),
    Rule(
        "prisma_client_not_generated",
        ANY,
        r"@prisma/client did not initialize yet|Cannot find module '\.prisma/client"
        r"|has no exported member '?PrismaClient",
        "Prisma's client was not generated: its install script did not run, or before the schema",
        "npm pkg set scripts.postinstall='prisma generate' && git add package.json && "
        "git commit -m 'Generate the client'",
    ),
    Rule(
        "prisma_engine_missing",
        ANY,
        r"Prisma Client could not locate the Query Engine for runtime \"(?P<name>[\w.-]+)\"",
        "Prisma's client was generated for another system than {name}",
        'In prisma/schema.prisma, in the block of the generator: binaryTargets = ["native"]\n'
        "and let the build generate it: npm pkg set scripts.postinstall='prisma generate' && "
        "git add prisma package.json && git commit -m 'Generate the client in the build'",
    ),
    Rule(
        "optional_package_missing",
        ANY,
        r"Cannot find module '?(?P<name>@rollup/rollup-linux-[\w-]+|@swc/core-linux-[\w-]+"
        r"|lightningcss[\w-]*linux[\w.-]+|@tailwindcss/oxide-linux-[\w-]+|\.\./lightningcss[\w.-]+)"
        r"|The package \"(?P<esbuild>@esbuild/linux-\w+)\" could not be found"
        r"|You installed esbuild for another platform"
        r"|Could not load the \"(?P<sharp>sharp)\" module using the linux",
        "{name}, the part of a dependency for this system, is not in the lock file: it was made "
        "on another system, or by an npm that forgot it",
        "rm -rf node_modules package-lock.json && {install} && git add {files} && "
        "git commit -m 'Lock the parts for every system'",
        lambda _evidence, match: {
            "name": next(
                (text for text in match.groupdict().values() if text), "@esbuild/linux-x64"
            )
        },
    ),
    Rule(
        "install_script_blocked",
        START,
        rf"Cannot find module '{_AT}/[^'\n]*\.node'"
        r"|Could not locate the bindings file|No native build was found for"
        r"|Error: Cannot find module '\.\./(?:build|bin|prebuilds|lib/binding)/[^'\n]*(?:\.node)?'"
        rf"|Error loading shared library {_AT.replace('package', 'library')}",
        "{name} has no binary: its install script was not run, or made none",
        "{approve}",
        _unbuilt,
    ),
    Rule(
        "native_module_of_another_version",
        ANY,
        r"was compiled against a different Node\.js version|NODE_MODULE_VERSION (?P<name>\d+)",
        "a native module was made for another version of Node.js",
        "git rm -r -q --cached --ignore-unmatch node_modules && "
        "echo node_modules/ >> .gitignore && git add .gitignore && "
        "git commit -m 'Leave node_modules to the build'\n"
        "and build afresh: paas builds:create --no-cache",
    ),
    Rule(
        "library_missing",
        START,
        r"error while loading shared libraries: (?P<name>lib[\w.+-]+)"
        r"|(?P<other>lib[\w.+-]+\.so[\w.]*): cannot open shared object file",
        "a binary needs {name}, which instances do not have",
        "Use a package that brings it: of browsers @sparticuz/chromium, of pictures sharp.",
    ),
    Rule(
        "binary_download_failed",
        INSTALL,
        r"Failed to set up chrome|Failed to download|could not be downloaded"
        r"|ERROR: Failed to set up"
        r"|The Cypress App could not be downloaded|getaddrinfo (?:ENOTFOUND|EAI_AGAIN)",
        "the install script of {package} could not fetch its program",
        "If the app does without it: paas config:set {variable}",
        _download,
    ),
    Rule(
        "binary_download_failed",
        INSTALL,
        r"sharp: Installation error: (?:getaddrinfo|connect|tunneling|read|Status)",
        "the install script of sharp could not fetch its library from GitHub: that is how releases "
        "before 0.33 do it, later ones come from the registry alone",
        "{take} && {commit}",
        _old_sharp,
    ),
    Rule(
        "binary_download_failed",
        START,
        r"Something went wrong installing the \"sharp\" module\s+Cannot find module",
        "sharp has no library: its install script did not run, by which releases before 0.33 "
        "fetch it from GitHub; later ones come from the registry alone",
        "{take} && {commit}",
        _old_sharp,
    ),
    Rule(
        "node_headers_missing",
        BUILD,
        r"gyp ERR! stack [^\n]*(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT)[^\n]*nodejs\.org"
        r"|gyp ERR! stack Error: \d+ response downloading \S*node-v[\d.]+-headers",
        "node-gyp could not fetch the headers of Node.js",
        "The platform has them: take npm_config_nodedir, disturl and target out of .npmrc and of "
        "the config vars, or: paas config:unset NPM_CONFIG_DISTURL NPM_CONFIG_NODEDIR",
    ),
    Rule(
        "python_2_wanted",
        BUILD,
        r"gyp ERR! stack Error: Can't find Python executable \"python2?\""
        r"|ValueError: invalid mode: 'rU'|No module named 'distutils'",
        "{name} brings a node-gyp that is older than the Python of the build (3)",
        "See who brings it, and update that: npm ls node-gyp\n"
        "or let all use a new one: npm pkg set overrides.node-gyp=^11 && {install} && {commit}",
        _compiled,
    ),
    Rule(
        "compiler_missing",
        BUILD,
        r"gyp ERR! stack Error: not found: (?P<name>make|g\+\+|cc|gcc)"
        r"|make: (?P<other>g\+\+|cc|gcc|c\+\+): (?:Command not found|No such file)"
        r"|gyp ERR! stack Error: Could not find any (?P<python>Python) installation",
        "{name} is not there, which the compilation of a native module needs",
        "The build has build-essential, python3 and pkg-config: if they are missing, "
        "the operator finds why in paas doctor.",
    ),
    Rule(
        "library_headers_missing",
        BUILD,
        r"fatal error: (?P<file>[\w./+-]+\.h(?:pp)?): No such file or directory"
        r"|Package (?P<library>[\w.+-]+) was not found in the pkg-config search path"
        r"|Package '(?P<pkg>[\w.+-]+)', required by 'virtual:world', not found",
        "{name} is compiled against a library that the build does not have ({file})",
        "Take a release that brings a binary: {add} {name}@latest && {commit}",
        lambda evidence, match: {
            "name": _last(evidence) or "a native module",
            "file": next((text for text in match.groupdict().values() if text), ""),
        },
    ),
    Rule(
        "native_module_failed",
        BUILD,
        r"gyp ERR!|node-pre-gyp ERR!|prebuild-install (?:ERR|WARN)[^\n]*[\s\S]*make: \*\*\*",
        "{name} could not be compiled",
        "See the first error above. A newer release may bring a binary for this Node.js: "
        "{add} {name}@latest && {commit}",
        lambda evidence, match: {"name": _last(evidence)} if _last(evidence) else None,
        is_general=True,
    ),
    Rule(
        "native_module_failed",
        BUILD,
        r"gyp ERR!",
        "a native module could not be compiled",
        "See the first error above; a newer release of the module may bring a binary "
        "for this version of Node.js.",
        is_general=True,
    ),
    Rule(
        "native_module_missing",
        START,
        r"ERR_DLOPEN_FAILED|(?<!invalid )\.node: ",
        "a native module does not fit this version of Node.js",
        "Update it, run npm install and commit the lock file.",
        is_general=True,
    ),
)
