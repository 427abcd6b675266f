"""How an app of a known framework is served once it is built: for those whose package.json does not
say it, or names a development server. Each answer is a line of commands that does what it says.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.npm.npm import NPM
from buildpacks.nodejs.package_manager import Typed
from buildpacks.tree import Tree

_ADAPTERS = {"1": "@1", "2": "@5"}
"""By the major of SvelteKit: each adapter works with one only. Later ones: the newest."""
_OWN_SERVERS = (
    *("@builder.io/qwik-city", "@solidjs/start", "@tanstack/react-start", "vike"),
    *("@react-router/node", "@remix-run/node", "@react-router/dev", "@redwoodjs/core"),
)
"""Built with Vite, but their pages are made by a server that their own start script names."""
_CONFIG_BYTES_MAX = 64 * 1024


@dataclass(frozen=True)
class Serving:
    """`start` serves what the build makes, once `prepare` (commands) was done; `changed` are the
    files that these change.
    """

    framework: str
    start: str
    prepare: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def as_script(self) -> str:
        """The commands after which package.json has it as its start script."""
        return self._commands(f'npm pkg set scripts.start="{self.start}"', "package.json")

    def as_procfile(self) -> str:
        """The commands after which a Procfile has it: the start script stays for development."""
        return self._commands(f"echo 'web: {self.start}' > Procfile", "Procfile")

    def _commands(self, setting: str, file: str) -> str:
        files = " ".join(dict.fromkeys((*self.changed, file)))
        commit = "git commit -m 'Say how to start'"
        return " && ".join((*self.prepare, setting, f"git add {files}", commit))


def of(tree: Tree, package: Manifest, typed: Typed = NPM.typed) -> Serving | None:
    """None for an app of no known framework. `typed` is what its package manager is told."""
    known = {**package.dependencies, **package.dev_dependencies}
    for framework, found in (
        ("nuxt", "node .output/server/index.mjs"),
        ("next", "next start"),
        ("@sveltejs/kit", ""),
        ("astro", ""),
        ("@angular/core", ""),
    ):
        if framework in known:
            special = {"@sveltejs/kit": _sveltekit, "astro": _astro, "@angular/core": _angular}
            make = special.get(framework)
            return make(tree, package, typed, known) if make else Serving(framework, found)
    if any(framework in known for framework in _OWN_SERVERS):
        return None
    folders = {
        "react-scripts": "-s build",
        "@vue/cli-service": "-s dist",
        "gatsby": "public",
        "vitepress": ".vitepress/dist",
        "@11ty/eleventy": "_site",
        "vite": "-s dist",
    }
    for framework, folder in folders.items():
        if framework in known:
            return _static(framework, folder, package, typed)
    return html(tree, typed)


def html(tree: Tree, typed: Typed = NPM.typed) -> Serving | None:
    """A folder of HTML files that need no build."""
    for folder in ("", "public", "docs", "site", "www"):
        if "index.html" in tree.names(folder):
            return _served_by_serve("HTML", f"serve {folder or '.'}", typed)
    return None


def _served_by_serve(framework: str, start: str, typed: Typed, *first: str) -> Serving:
    return Serving(framework, start, (f"{typed.add} serve", *first), typed.files)


def _static(framework: str, folder: str, package: Manifest, typed: Typed) -> Serving:
    builds = {"vite": "vite build", "@11ty/eleventy": "eleventy", "gatsby": "gatsby build"}
    more: tuple[str, ...] = ()
    if framework in builds and not package.scripts.get("build", "").strip():
        more = (f'npm pkg set scripts.build="{builds[framework]}"',)
    return _served_by_serve(framework, f"serve {folder}", typed, *more)


def _sveltekit(tree: Tree, package: Manifest, typed: Typed, known: Mapping[str, str]) -> Serving:
    """adapter-auto makes nothing that a server could run."""
    if "@sveltejs/adapter-node" in known:
        return Serving("SvelteKit", "node build")
    configs = ("svelte.config.js", "svelte.config.ts", "vite.config.ts", "vite.config.js")
    adapter = next((name for name in known if name.startswith("@sveltejs/adapter-")), "")
    for name in configs:
        if adapter and adapter.encode() in (tree.read(name, _CONFIG_BYTES_MAX) or b""):
            short = adapter.removeprefix("@sveltejs/")
            edit = f"perl -pi -e 's/{short}/adapter-node/' {name}"
            major = re.match(r"\D{0,2}(\d+)", known["@sveltejs/kit"])
            version = _ADAPTERS.get(major.group(1) if major else "", "")
            install = f"{typed.add_dev} @sveltejs/adapter-node{version}"
            return Serving("SvelteKit", "node build", (install, edit), (*typed.files, name))
    return Serving("SvelteKit", "node build", ("npx sv add sveltekit-adapter=adapter:node",))


def _astro(tree: Tree, package: Manifest, typed: Typed, known: Mapping[str, str]) -> Serving:
    if "@astrojs/node" in known:
        return Serving("Astro", "node ./dist/server/entry.mjs")
    return _served_by_serve("Astro", "serve dist", typed)


def _angular(tree: Tree, package: Manifest, typed: Typed, known: Mapping[str, str]) -> Serving:
    if "@angular/ssr" in known:
        return Serving("Angular", f"node dist/{package.name}/server/server.mjs")
    return _served_by_serve("Angular", f"serve -s dist/{package.name}/browser", typed)
