"""Sites that a framework builds: which folder of files an app's build leaves to be served.

A table of what the makers' own starters do, and the option by which each says another folder. An
option is looked for in the configuration's text, which is a program: what can't be seen there (a
computed name) is told after the build, with what was found instead (`buildpacks.static.lost`).
"""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.processes import building
from buildpacks.plan import Site
from buildpacks.static import named
from buildpacks.tree import Tree

_CONFIG_BYTES_MAX = 64 * 1024
_ENDINGS = ("ts", "js", "mjs", "mts", "cjs")
_HASH = r"[.-](?![a-z]{8}\.)(?![0-9]{8}\.)[A-Za-z0-9_-]{8}\.\w+(?:\.map)?$"
"""Eight characters that look like neither a word nor a date."""
_HEX = r"[.-][0-9a-f]{8,32}\.(?:chunk\.)?\w+(?:\.map)?$"


@dataclass(frozen=True)
class Found:
    """`build` is what builds the site where no script of the app's does."""

    site: Site
    build: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Framework:
    """`option` is the name of the one that says another folder, in a file `config`.* or a script.

    `flag` is what it is called on the command line.
    """

    package: str
    name: str
    folders: tuple[str, ...]
    build: str = ""
    config: tuple[str, ...] = ()
    option: str = "outDir"
    flag: str = "--outDir"
    is_single_page: bool = False
    hashed: tuple[str, ...] = ()
    below: str = ""
    """Where its folder is in the folder that is the build command's argument, if it has one."""


_VITE = rf"/assets/.+{_HASH}"
_FRAMEWORKS = (
    _Framework(
        "@docusaurus/core",
        "Docusaurus",
        ("build",),
        "docusaurus build",
        flag="--out-dir",
        hashed=(rf"/assets/.+{_HEX}",),
    ),
    _Framework(
        "gatsby",
        "Gatsby",
        ("public",),
        "gatsby build",
        hashed=(r"^/[\w~.-]+-[0-9a-f]{20}\.js(?:\.map)?$", r"^/static/.+/"),
    ),
    _Framework(
        "vitepress",
        "VitePress",
        ("docs/.vitepress/dist", ".vitepress/dist", "doc/.vitepress/dist"),
        "vitepress build",
        ("docs/.vitepress/config", ".vitepress/config"),
        hashed=(_VITE,),
        below=".vitepress/dist",
    ),
    _Framework(
        "vuepress",
        "VuePress",
        ("docs/.vuepress/dist", "src/.vuepress/dist", ".vuepress/dist"),
        hashed=(rf"/assets/.+{_HASH}", rf"/assets/.+{_HEX}"),
    ),
    _Framework(
        "@11ty/eleventy",
        "Eleventy",
        ("_site",),
        "eleventy",
        (".eleventy", "eleventy.config"),
        "output",
        "--output",
    ),
    _Framework(
        "react-scripts",
        "Create React App",
        ("build",),
        "react-scripts build",
        flag="BUILD_PATH",
        is_single_page=True,
        hashed=(rf"/static/(?:js|css|media)/.+{_HEX}",),
    ),
    _Framework(
        "@vue/cli-service",
        "Vue CLI",
        ("dist",),
        "vue-cli-service build",
        ("vue.config",),
        "outputDir",
        "--dest",
        is_single_page=True,
        hashed=(rf"/(?:js|css|img|fonts|media)/.+{_HEX}",),
    ),
    _Framework("hexo", "Hexo", ("public",), "hexo generate"),
    _Framework("@slidev/cli", "Slidev", ("dist",), "slidev build", is_single_page=True),
    _Framework("ember-cli", "Ember", ("dist",), "ember build -prod", is_single_page=True),
    _Framework("@stencil/core", "Stencil", ("www",), "stencil build", is_single_page=True),
    _Framework("preact-cli", "Preact CLI", ("build",), "preact build", is_single_page=True),
    _Framework("gridsome", "Gridsome", ("dist",), "gridsome build"),
    _Framework(
        "parcel",
        "Parcel",
        ("dist",),
        flag="--dist-dir",
        is_single_page=True,
        hashed=(_HEX,),
    ),
    _Framework(
        "vite",
        "Vite",
        ("dist", "build"),
        "vite build",
        ("vite.config",),
        is_single_page=True,
        hashed=(_VITE,),
    ),
)
_STORYBOOK = _Framework(
    "storybook",
    "Storybook",
    ("storybook-static",),
    "storybook build",
    flag="(?:-o|--output-dir)",
    hashed=(_VITE,),
)
_ANGULAR_HASHED = (
    r"^/(?:[\w-]+/)?(?:chunk|main|polyfills|styles|scripts|runtime)-[A-Z0-9]{8}\.(?:js|css)$",
    r"/media/.+-[A-Z0-9]{8}\.\w+$",
)
_OWN_SERVERS = (
    *("@builder.io/qwik-city", "@qwik.dev/router", "@solidjs/start", "vike", "@redwoodjs/core"),
    *("@tanstack/react-start", "@tanstack/solid-start", "@react-router/node", "@react-router/dev"),
    *("@remix-run/node", "@remix-run/dev", "@sveltejs/kit", "nuxt", "next", "waku", "@nestjs/core"),
    *("@hono/vite-dev-server", "@shopify/hydrogen", "@analogjs/platform", "@adonisjs/core"),
)
"""Built with Vite or the like, but a server makes their pages, unless they are told not to."""


def of(tree: Tree, package: Manifest) -> Found | None:
    """None for an app that is none, as far as it can be seen."""
    known = {**package.dependencies, **package.dev_dependencies}
    found = _special(tree, package, known)
    if found is None and not any(name in known for name in _OWN_SERVERS):
        chosen = _STORYBOOK if _is_storybook(tree, package) else None
        chosen = chosen or next((one for one in _FRAMEWORKS if one.package in known), None)
        found = _site(tree, package, chosen) if chosen else None
    return replace(found, site=named.applied(tree, found.site)) if found else None


def _is_storybook(tree: Tree, package: Manifest) -> bool:
    """Most that have it are apps, and it shows their parts; some are nothing else."""
    if any(package.scripts.get(name, "").strip() for name in building.NAMES):
        text = _build_text(package)
        return bool(re.search(r"\bstorybook build\b", text)) and "vite build" not in text
    found = building.script(package, ("storybook", "build"))
    return bool(found) and "index.html" not in tree.names()


def html(tree: Tree, package: Manifest) -> Found | None:
    """Pages that no known framework makes: what a build script may leave, or the tree as it is."""
    built = bool(package.scripts.get("build", "").strip())
    places = ("dist", "build", "public", "out", "_site", "www")
    plain = next((place for place in ("", "public") if _has_page(tree, place)), None)
    if built and plain is not None:
        site = Site("HTML", (*places, ""), "what the build script left")
    elif plain is not None:
        site = Site("HTML", (plain,), "index.html")
    elif named.folder(tree):
        site = Site("HTML", places, "")
    else:
        return None
    return Found(named.applied(tree, site))


def _has_page(tree: Tree, folder: str) -> bool:
    return "index.html" in tree.names(folder)


def _special(tree: Tree, package: Manifest, known: Mapping[str, str]) -> Found | None:
    """Frameworks that make a site, or a server, as they are configured."""
    if "next" in known:
        config = _text(tree, "next.config")
        if not re.search(r"""\boutput\s*:\s*['"`]export['"`]""", config):
            return None
        folder = _joined("", _option(config, "distDir")) or "out"
        return Found(Site("Next.js", (folder, "out"), "output: export", hashed=("/_next/static/",)))
    if "nuxt" in known and re.search(r"\b(?:nuxt|nuxi) generate\b", _build_text(package)):
        site = Site(
            "Nuxt", (".output/public", "dist"), "nuxt generate", hashed=(rf"/_nuxt/.+{_HASH}",)
        )
        return Found(site)
    if "@sveltejs/kit" in known and "@sveltejs/adapter-static" in known:
        text = _text(tree, "svelte.config") + _text(tree, "vite.config")
        folder = _joined("", _option(text, "pages")) or "build"
        return Found(
            Site("SvelteKit", (folder, "build"), "adapter-static", hashed=("/_app/immutable/",))
        )
    if {"@react-router/dev", "@remix-run/dev"} & {*known}:
        text = _text(tree, "react-router.config") + _text(tree, "vite.config")
        if re.search(r"\bssr\s*:\s*false\b", text):
            site = Site("React Router", ("build/client",), "ssr: false", True, (_VITE,))
            return Found(site)
    if "astro" in known:
        return _astro(tree, known)
    if "@angular/core" in known and "@angular/ssr" not in known:
        return _angular(tree)
    return None


def _astro(tree: Tree, known: Mapping[str, str]) -> Found | None:
    text = _text(tree, "astro.config")
    if re.search(r"\badapter\s*:", text) or re.search(r"""output\s*:\s*['"]server""", text):
        return None
    folder = _joined("", _option(text, "outDir")) or "dist"
    site = Site("Astro", (folder, "dist"), _said("outDir", folder != "dist"), hashed=("^/_astro/",))
    return Found(site, ("astro", "build"))


def _angular(tree: Tree) -> Found:
    """angular.json: the application builder puts pages into `<outputPath>/browser`."""
    try:
        content = json.loads(tree.read("angular.json", 4 * _CONFIG_BYTES_MAX) or b"{}")
        projects = content.get("projects", {})
        name, project = next(iter(projects.items()))
        targets = project.get("architect", project.get("targets", {}))
        output = targets["build"].get("options", {}).get("outputPath", f"dist/{name}")
    except (ValueError, AttributeError, KeyError, TypeError, StopIteration, RecursionError):
        output, name = "dist", ""
    base = output.get("base", f"dist/{name}") if isinstance(output, dict) else output
    browser = output.get("browser", "browser") if isinstance(output, dict) else "browser"
    places = [_joined("", str(place)) for place in (f"{base}/{browser}", base)]
    folders = tuple(place for place in places if place) or ("dist",)
    site = Site("Angular", folders, "outputPath in angular.json", True, _ANGULAR_HASHED)
    return Found(site, ("ng", "build"))


def _site(tree: Tree, package: Manifest, framework: _Framework) -> Found:
    text = "".join(_text(tree, config) for config in framework.config)
    root = _option(text, "root") if framework.package == "vite" else ""
    named_there = _option(text, framework.option) if framework.config else ""
    said = _build_text(package, tuple(framework.build.split()))
    script = re.search(rf"(?:^|\s){framework.flag}[ =]['\"]?([^\s'\"]+)", said)
    argument = re.search(rf"\b{framework.build} (?!-)([\w./-]+)", said) if framework.below else None
    found = [
        _joined("", script.group(1)) if script else "",
        _joined(argument.group(1), framework.below) if argument else "",
        _joined(root, named_there) if named_there else "",
        *(_joined(root, folder) for folder in framework.folders),
        *framework.folders,
    ]
    folders = tuple(dict.fromkeys(folder for folder in found if folder))
    source = framework.flag if script else framework.option
    site = Site(
        framework.name,
        folders,
        _said(source, bool(script or named_there)),
        framework.is_single_page,
        framework.hashed,
    )
    return Found(site, tuple(framework.build.split()))


def _said(option: str, is_named: bool) -> str:
    return f"{option} says so" if is_named else "its own folder"


def _joined(root: str, folder: str) -> str:
    """Empty for what leads out of the tree."""
    path = posixpath.normpath(posixpath.join(root or ".", folder.removeprefix("./")))
    return "" if path.startswith(("..", "/")) or path == "." else path


def _text(tree: Tree, config: str) -> str:
    """The first file of that name, without its comments."""
    for ending in _ENDINGS:
        content = tree.read(f"{config}.{ending}", _CONFIG_BYTES_MAX)
        if content is not None:
            text = content.decode("utf-8", "replace")
            return re.sub(r"/\*.*?\*/|(?<![:'\"`])//[^\n]*", "", text, flags=re.DOTALL)
    return ""


def _option(text: str, name: str) -> str:
    """The text that an option is set to, where it is written out."""
    match = re.search(
        rf"""\b{re.escape(name)}['"]?\s*:\s*(?:[\w.]+\(\s*__dirname\s*,\s*)?['"`]([^'"`$\n]+)['"`]""",
        text,
    )
    if match is None and name == "output":
        match = re.search(r"""setOutputDirectory\(\s*['"`]([^'"`$\n]+)['"`]""", text)
    return match.group(1).strip() if match else ""


def _build_text(package: Manifest, otherwise: tuple[str, ...] = ()) -> str:
    """All that a build may run, in one piece."""
    return " ; ".join(_scripts(package, (*building.NAMES, building.script(package, otherwise))))


def _scripts(package: Manifest, names: tuple[str, ...], depth: int = 0) -> Iterator[str]:
    for name in names:
        text = package.scripts.get(name, "")
        yield text
        if depth < 4:
            inner = re.findall(r"\b(?:run|run-script|yarn|pnpm|bun|run-[ps])\s+([\w:.-]+)", text)
            yield from _scripts(package, tuple(inner), depth + 1)
