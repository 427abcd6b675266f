"""How the server that a framework builds is run as its makers advise, where package.json does not
say it or names a development server. What has to be changed first is a line of commands.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.npm.npm import NPM
from buildpacks.nodejs.package_manager import Typed
from buildpacks.nodejs.processes import development, start
from buildpacks.nodejs.rules import kept
from buildpacks.tree import Tree

_ADAPTERS = {"1": "@1", "2": "@5"}
"""By the major of SvelteKit: each adapter works with one only. Later ones: the newest."""
_CONFIG_BYTES_MAX = 64 * 1024
_NITRO = "node .output/server/index.mjs"


@dataclass(frozen=True)
class Serving:
    """`start` serves what the build makes, once `prepare` (commands) was done; `changed` are the
    files that these change. `build` builds it where no script does, with `at_build` in the
    environment.
    """

    framework: str
    start: str
    prepare: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    build: str = ""
    at_build: Mapping[str, str] = field(default_factory=dict)

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


_PLAIN = {
    "nuxt": Serving("Nuxt", _NITRO, build="nuxt build"),
    "next": Serving("Next.js", "next start", build="next build"),
    "@nestjs/core": Serving("Nest", "node dist/main", build="nest build"),
    "@react-router/serve": Serving(
        "React Router",
        "react-router-serve ./build/server/index.js",
        build="react-router build",
    ),
    "@remix-run/serve": Serving("Remix", "remix-serve ./build/server/index.js"),
    "@solidjs/start": Serving("SolidStart", _NITRO, build="vinxi build"),
    "@analogjs/platform": Serving("Analog", "node dist/analog/server/index.mjs"),
}


def of(tree: Tree, package: Manifest, typed: Typed = NPM.typed) -> Serving | None:
    """None for an app of no known framework. `typed` is what its package manager is told."""
    known = {**package.dependencies, **package.dev_dependencies}
    if "@sveltejs/kit" in known:
        return _sveltekit(tree, typed, known)
    if "astro" in known:
        return _astro(typed, known)
    if "@angular/ssr" in known:
        return Serving("Angular", f"node dist/{package.name}/server/server.mjs")
    if {"@tanstack/react-start", "@tanstack/solid-start"} & {*known}:
        return _tanstack(tree, typed, known)
    if "@builder.io/qwik-city" in known:
        return _qwik(package, typed)
    if "@adonisjs/core" in known:
        # Until its version 5 the program stands in the root.
        program = "bin/server" if tree.read("bin/server.ts", 1) is not None else "server"
        return Serving("AdonisJS", f"node build/{program}.js")
    for dependency, found in _PLAIN.items():
        if dependency in known:
            return found
    return None


def in_build(tree: Tree, package: Manifest, command: str) -> Serving | None:
    """A framework's way to start, for a start script that is meant for the folder of the build:
    AdonisJS is started there (https://docs.adonisjs.com/guides/getting-started/deployment).
    """
    serves = of(tree, package)
    words = development.split(start.unwrapped(command, package.scripts)[1])
    file = words[-1].removeprefix("./") if words else ""
    if serves is None or f"node build/{file}" != serves.start:
        return None
    return serves if tree.read(file, 1) is None else None


def build_for(tree: Tree, package: Manifest, command: str) -> tuple[str, ...]:
    """How that is made which a command starts and only a framework's build makes; else nothing.

    Without it Next.js, for one, ends at once: "Could not find a production build".
    """
    serves = of(tree, package)
    if not serves or not serves.build:
        return ()
    words = development.split(start.unwrapped(command, package.scripts)[1])
    programs = {name.rpartition("/")[2] for name in development.programs(command, package.scripts)}
    program, *_, served = serves.start.split()
    named = {word.removeprefix("./") for word in words}
    is_its_own = program in programs if program != "node" else served.removeprefix("./") in named
    return tuple(serves.build.split()) if is_its_own or _is_next_inside(tree, package) else ()


def _is_next_inside(tree: Tree, package: Manifest) -> bool:
    """Pages of Next.js, whose own server is not started: a program of the app's serves them.

    https://nextjs.org/docs/app/guides/custom-server
    """
    names = {
        f"{folder}{place}/{name.partition('.')[0]}"
        for folder in ("", "src/")
        for place in ("pages", "app")
        for name in tree.names(f"{folder}{place}")
    }
    pages = {"pages/index", "pages/_app", "app/page", "app/layout"}
    return "next" in package.dependencies and bool(
        pages & {name.removeprefix("src/") for name in names}
    )


def environment(package: Manifest) -> dict[str, str]:
    """What a framework's server is told, however it is started: a router stands before it."""
    known = {**package.dependencies, **package.dev_dependencies}
    if "@sveltejs/kit" in known:
        return {"PROTOCOL_HEADER": "x-forwarded-proto", "ADDRESS_HEADER": "x-forwarded-for"}
    return {"HOST": "0.0.0.0"} if "astro" in known else {}


def _sveltekit(tree: Tree, typed: Typed, known: Mapping[str, str]) -> Serving:
    """adapter-auto makes what a server can run only where it sees a platform that it knows."""
    if "@sveltejs/adapter-node" in known:
        return Serving("SvelteKit", "node build", build="vite build")
    if "@sveltejs/adapter-auto" in known:
        told = {"GCP_BUILDPACKS": "true"}
        return Serving("SvelteKit", "node build", build="vite build", at_build=told)
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


def _qwik(package: Manifest, typed: Typed) -> Serving:
    """Its starter only develops; what it adds to serve has a script of its own, `serve`.

    That server imports two packages that the starter, and what is added, have for development.
    """
    express = "npx qwik add express --skipConfirmation=true"
    is_dev = "undici" in package.dev_dependencies
    undici = kept(typed.keep, "undici", "") if is_dev else f"{typed.add} undici"
    add = (typed.install, express, undici, kept(typed.keep, "dotenv", ""))
    changed = (*typed.files, "adapters", "src", "README.md")
    return Serving("Qwik City", "node server/entry.express", add, changed)


def _astro(typed: Typed, known: Mapping[str, str]) -> Serving:
    start = "node ./dist/server/entry.mjs"
    if "@astrojs/node" in known:
        return Serving("Astro", start, build="astro build")
    return Serving("Astro", start, ("npx astro add node --yes",), (*typed.files, "astro.config.*"))


def _tanstack(tree: Tree, typed: Typed, known: Mapping[str, str]) -> Serving:
    """Its build is a function; Nitro, where it is a plugin, or srvx make a server of it."""
    if "nitro" in known or "@tanstack/nitro-v2-vite-plugin" in known or "vinxi" in known:
        return Serving("TanStack Start", _NITRO)
    start = "srvx --prod -s ../client dist/server/server.js"
    if "srvx" in known:
        return Serving("TanStack Start", start)
    return Serving("TanStack Start", start, (f"{typed.add} srvx",), typed.files)
