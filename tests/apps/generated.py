"""Real apps, made by their makers' generators when the test runs: what a developer types."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LOCK = "npm install --package-lock-only --ignore-scripts"
VITE_HELD = "with Vite 8.3, not 8.4"
OLDER_VITE = "npm pkg set devDependencies.vite=~8.3.0"
"""Vite 8.4 wants napi-windows-process-start-time, which not every registry has yet."""


@dataclass(frozen=True)
class App:
    """`commands` make it in an empty folder, after which `files` are written into it.

    `change` is a file with what is replaced in it, `path` is asked, and `before` and `after` are
    in the answers. With `is_refused_first` the first push is refused with commands that help;
    `advice` stands in the line of a notice whose commands are followed.
    """

    name: str
    commands: tuple[str, ...]
    change: tuple[str, str, str]
    before: str
    after: str
    path: str = "/"
    files: Mapping[str, str] | None = None
    is_refused_first: bool = False
    advice: str = ""
    config: tuple[str, ...] = ()
    lock_file: str = ""
    """That which has not changed at the second push, so that nothing is installed."""
    by_hand: str = "npm ci && npm run build --if-present"
    """What a build is, without the platform."""

    def edit(self, folder: Path) -> None:
        name, old, new = self.change
        text = (folder / name).read_text()
        assert re.search(old, text), f"{name} has no {old}:\n{text}"
        (folder / name).write_text(re.sub(old, new, text))


# The template's fonts come from Google at build time, which not every server can reach.
_NEXT_LAYOUT = """
export const metadata = { title: 'Real app' }
export default function Layout({ children }: { children: React.ReactNode }) {
  return <html lang="en"><body>{children}</body></html>
}
"""
_NEXT_PAGE = "export default function Page() { return <h1>First version</h1> }\n"

_PRISMA_SCHEMA = """
generator client {
  provider = "prisma-client-js"
}
datasource db {
  provider = "postgresql"
}
model Customer {
  id Int @id
}
"""
_PRISMA_SERVER = """
const { Prisma } = require('@prisma/client')
const express = require('express')
const app = express()
app.get('/', (_, to) => to.send(Object.keys(Prisma.ModelName).join(' ')))
app.listen(process.env.PORT)
"""
NEST = App(
    "nest",
    (
        "npx --yes @nestjs/cli@11 new app --package-manager npm --skip-git --skip-install "
        "--directory .",
        LOCK,
    ),
    ("src/app.service.ts", "Hello World!", "Good morning"),
    "Hello World!",
    "Good morning",
)
NEXT = App(
    "next",
    (
        "npx --yes create-next-app@16 app --ts --no-linter --no-tailwind --app --no-src-dir "
        "--use-npm --skip-install --disable-git --yes",
        "cp -R app/. . && rm -rf app/.git && mv app made && mv made/app app && rm -rf made",
        LOCK,
    ),
    ("app/page.tsx", "First version", "Second version"),
    "First version",
    "Second version",
    files={"app/layout.tsx": _NEXT_LAYOUT, "app/page.tsx": _NEXT_PAGE},
)
VITE = App(
    "vite",
    (
        "npm create --yes vite@7 app -- --template vanilla-ts --no-interactive",
        "cp -R app/. . && rm -rf app",
        LOCK,
    ),
    ("index.html", "<title>.*</title>", "<title>Second version</title>"),
    "<title>",
    "<title>Second version</title>",
)
REACT_SCRIPTS = App(
    "react-scripts",
    (
        'tar -x -z --strip-components=2 -f "$(npm pack --silent cra-template@1)" package/template',
        "rm *.tgz && mv gitignore .gitignore",
        "npm init -y && npm pkg delete type main",
        "npm pkg set scripts.start='react-scripts start' scripts.build='react-scripts build'",
        "npm pkg set dependencies.react=^18 dependencies.react-dom=^18 "
        "dependencies.react-scripts=5.0.1 dependencies.web-vitals=^2",
        "rm src/App.test.js src/setupTests.js",
        LOCK,
    ),
    ("public/index.html", "<title>.*</title>", "<title>Second version</title>"),
    "<title>React App</title>",
    "<title>Second version</title>",
    path="/any/path",
)
VUE = App(
    "vue",
    (
        "npm create --yes vue@latest app -- --ts --router --pinia",
        "cp -R app/. . && rm -rf app",
        "npm pkg set devDependencies.vite=^7",
        LOCK,
    ),
    ("index.html", "<title>.*</title>", "<title>Second version</title>"),
    "<title>",
    "<title>Second version</title>",
    path="/any/path",
)
DOCUSAURUS = App(
    "docusaurus",
    (
        "npx --yes create-docusaurus@3.7.0 app classic --typescript --skip-install",
        "cd app && npm pkg set overrides.webpack=~5.95.0",
        "cp -R app/. . && rm -rf app",
        LOCK,
    ),
    ("docusaurus.config.ts", "title: 'My Site'", "title: 'Second version'"),
    "My Site",
    "Second version",
    path="/docs/intro/",
)
ELEVENTY = App(
    "eleventy",
    ("npm init -y && npm pkg set dependencies.@11ty/eleventy=^3", LOCK),
    ("index.md", "First", "Second"),
    "<h1>First version</h1>",
    "<h1>Second version</h1>",
    files={"index.md": "# First version\n", ".gitignore": "node_modules\n_site\n"},
)
_ASTRO_PAGE = "---\n---\n<html><body><h1>First version</h1></body></html>\n"
_ASTRO_SCRIPTS = (
    "npm init -y && npm pkg set type=module scripts.dev='astro dev' scripts.build='astro build'"
)
ASTRO = App(
    "astro",
    (_ASTRO_SCRIPTS, "npm pkg set dependencies.astro=^5", LOCK),
    ("src/pages/about.astro", "First", "Second"),
    "First version",
    "Second version",
    path="/about/",
    files={
        "src/pages/about.astro": _ASTRO_PAGE,
        "src/pages/index.astro": _ASTRO_PAGE,
        "astro.config.mjs": "import { defineConfig } from 'astro/config'\n"
        "export default defineConfig({})\n",
        ".gitignore": "node_modules\ndist\n.astro\n",
    },
)
ASTRO_SERVER = App(
    "server-of-astro",
    (_ASTRO_SCRIPTS, "npm pkg set dependencies.astro=^5 dependencies.@astrojs/node=^9", LOCK),
    ("src/pages/index.astro", "First", "Second"),
    "First version",
    "Second version",
    files={
        "src/pages/index.astro": _ASTRO_PAGE,
        "astro.config.mjs": "import { defineConfig } from 'astro/config'\n"
        "import node from '@astrojs/node'\n"
        "const adapter = node({ mode: 'standalone' })\n"
        "export default defineConfig({ output: 'server', adapter: adapter })\n",
        ".gitignore": "node_modules\ndist\n.astro\n",
    },
)
SVELTEKIT = App(
    "sveltekit",
    (
        "npx --yes sv create app --template minimal --types ts --no-add-ons --no-install",
        "cp -R app/. . && rm -rf app",
        "npm pkg set devDependencies.vite=^7 devDependencies.@sveltejs/vite-plugin-svelte=^6",
        LOCK,
    ),
    ("src/routes/+page.svelte", "<h1>.*</h1>", "<h1>Second version</h1>"),
    "Welcome to SvelteKit",
    "<h1>Second version</h1>",
)
NUXT = App(
    "nuxt",
    (
        "npm init -y && npm pkg set type=module scripts.build='nuxt build' scripts.dev='nuxt dev'",
        "npm pkg set dependencies.nuxt=~3.17.0 dependencies.vue=^3",
        LOCK,
    ),
    ("app.vue", "First", "Second"),
    "First version",
    "Second version",
    files={
        "app.vue": "<template><h1>First version</h1></template>\n",
        "nuxt.config.ts": "export default defineNuxtConfig({ compatibilityDate: '2025-07-15' })\n",
        ".gitignore": "node_modules\n.nuxt\n.output\n",
    },
)
PRISMA = App(
    "prisma",
    (
        "npm init -y && npm pkg set scripts.start='node server.js' "
        "scripts.postinstall='prisma generate'",
        "npm pkg set dependencies.express=^5 dependencies.prisma=^7 dependencies.@prisma/client=^7",
        LOCK,
    ),
    ("prisma/schema.prisma", "model Customer", "model Guest {\n  id Int @id\n}\nmodel Customer"),
    "Customer",
    "Guest",
    files={
        "prisma/schema.prisma": _PRISMA_SCHEMA,
        "server.js": _PRISMA_SERVER,
        ".gitignore": "node_modules\n",
    },
    # Only migrations use that program; unless it is named, a host of Prisma's has to be reached.
    config=("PRISMA_SCHEMA_ENGINE_BINARY=/bin/true",),
)
_EXPRESS = """
const express = require('express')
const app = express()
const built = require('fs').readFileSync('built.txt')
app.get('/', (_, to) => to.send(`First version, built by ${built}`))
app.listen(process.env.PORT)
"""


def _by(name: str, run: str, lock_file: str, manager: str, settings: str = "") -> App:
    """An Express app of another package manager, made by the manager itself."""
    ignored = "node_modules\n.pnp.*\n.yarn\n"
    return App(
        name,
        (
            "npm init -y && npm pkg delete main type",
            f"npm pkg set scripts.start='node server.js' scripts.build='{run} inner' "
            "scripts.inner='semver 1.2.3 > built.txt'",
            *((f"touch yarn.lock && echo '{settings}' > .yarnrc.yml",) if settings else ()),
            f"{manager} add express@4 && {manager} add -D semver@7.6.0",
        ),
        ("server.js", "First", "Second"),
        "First version, built by 1.2.3",
        "Second version, built by 1.2.3",
        files={"server.js": _EXPRESS, ".gitignore": ignored},
        lock_file=lock_file,
        by_hand=f"{manager} install && {manager} run build",
    )


_BERRY = "YARN_ENABLE_IMMUTABLE_INSTALLS=false npx --yes --package @yarnpkg/cli-dist@4 yarn"
BY_OTHERS = (
    _by("pnpm", "pnpm run", "pnpm-lock.yaml", "npx --yes pnpm@10"),
    _by("yarn", "yarn", "yarn.lock", "npx --yes yarn@1"),
    _by("berry-pnp", "yarn run", "yarn.lock", _BERRY, "nodeLinker: pnp"),
    _by("bun", "bun run", "bun.lock", "npx --yes bun@1.4.5"),
)
_BUN = "npx --yes bun@1.4.5"
BUN_INIT = App(
    "bun-init",
    (f"{_BUN} init -y", "rm -rf .cursor CLAUDE.md"),
    ("index.ts", "First", "Second"),
    "First version on 1.",
    "Second version on 1.",
    files={
        "index.ts": "Bun.serve({ fetch: () => new Response(`First version on ${Bun.version}`) });\n"
    },
    lock_file="bun.lock",
    by_hand=f"{_BUN} install",
)
BUN_REACT = App(
    "bun-react",
    (f"{_BUN} init --react", "rm -rf .cursor CLAUDE.md"),
    ("src/index.ts", 'message: "Hello, world!"', 'message: "Good morning"'),
    "Hello, world!",
    "Good morning",
    path="/api/hello",
    lock_file="bun.lock",
    by_hand=f"{_BUN} install",
)
DENO_INIT = App(
    "deno-init",
    ("npx --yes deno@2.9.6 init",),
    ("main.ts", "Welcome to Deno", "Good morning"),
    "Welcome to Deno",
    "Good morning",
    by_hand="npx --yes deno@2.9.6 install --entrypoint main.ts",
)
OTHER_RUNTIMES = (BUN_INIT, BUN_REACT, DENO_INIT)
SITES = (VITE, REACT_SCRIPTS, VUE, DOCUSAURUS, ELEVENTY, ASTRO)
SERVERS = (NEST, NEXT, ASTRO_SERVER, SVELTEKIT, NUXT)
APPS = (*SERVERS, *SITES, PRISMA, *BY_OTHERS, *OTHER_RUNTIMES)
SELECTED = (VITE, PRISMA, *BY_OTHERS, BUN_INIT, DENO_INIT, NEST, NEXT, REACT_SCRIPTS)
"""Those that CI pushes: each kind of app and each package manager, the quickest first."""
