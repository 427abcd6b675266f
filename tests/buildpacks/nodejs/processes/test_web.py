"""What serves an app's visitors, by what the makers' own starters contain."""

from datetime import date
from typing import Any

import pytest

from buildpacks.findings import Refused
from buildpacks.nodejs import plan as plan_of
from buildpacks.nodejs.versions import Offer
from buildpacks.plan import Plan, Site
from tests.buildpacks.nodejs.trees import app

OFFER = Offer(["24.19.0"], ["24.19.0"], date(2026, 11, 22))


def made(files: dict[str, Any] | None = None, needs: tuple[str, ...] = (), **package: Any) -> Plan:
    """The plan of an app with dependencies of these names; those after `dev:` are for builds."""
    names = {name.removeprefix("dev:"): name.startswith("dev:") for name in needs}
    lock = {
        name: {
            "version": "1.0.0",
            "dev": dev,
            "bin": {COMMANDS.get(name, name.split("/")[-1]): "x"},
        }
        for name, dev in names.items()
    }
    wanted: dict[bool, dict[str, str]] = {True: {}, False: {}}
    for name, dev in names.items():
        wanted[dev][name] = "1.0.0"
    tree = app(
        files,
        lock,
        engines={"node": "24.x"},
        dependencies=wanted[False],
        devDependencies=wanted[True],
        **package,
    )
    return plan_of(tree, offer=OFFER, architecture="x64")


COMMANDS = {
    "@nestjs/cli": "nest",
    "@angular/cli": "ng",
    "@vue/cli-service": "vue-cli-service",
    "@docusaurus/core": "docusaurus",
    "@react-router/serve": "react-router-serve",
}


def site(plan: Plan) -> Site:
    assert plan.site is not None, plan.processes
    assert plan.processes["web"].argv[0] == "sh"
    assert "nginx" in plan.processes["web"].argv[2]
    return plan.site


BUILD = {"build": "vite build"}
SITES: dict[str, tuple[dict[str, Any], tuple[str, ...], dict[str, str], list[str], bool]] = {
    "vite": (
        {"index.html": ""},
        ("dev:vite",),
        {"dev": "vite", "build": "tsc && vite build", "preview": "vite preview"},
        ["dist", "build"],
        True,
    ),
    "vite-out-dir": (
        {"vite.config.ts": "export default { build: { outDir: './public_html' } }"},
        ("dev:vite",),
        BUILD,
        ["public_html", "dist", "build"],
        True,
    ),
    "vite-root": (
        {"vite.config.js": "export default { root: 'src', build: { outDir: '../out' } }"},
        ("dev:vite",),
        BUILD,
        ["out", "src/dist", "src/build", "dist", "build"],
        True,
    ),
    "vite-flag": ({}, ("vite",), {"build": "vite build --outDir=web"}, ["web", "dist"], True),
    "vite-comment": (
        {"vite.config.ts": "// outDir: 'no'\n/* outDir: 'no' */ export default {}"},
        ("vite",),
        BUILD,
        ["dist"],
        True,
    ),
    "vue": (
        {"vite.config.ts": "plugins: [vue()]"},
        ("vue", "dev:vite"),
        {"build": 'run-p type-check "build-only {@}" --', "build-only": "vite build"},
        ["dist"],
        True,
    ),
    "vite-as-start": ({}, ("dev:vite",), {**BUILD, "start": "vite --host"}, ["dist"], True),
    "preview-as-start": ({}, ("vite",), {**BUILD, "start": "vite preview"}, ["dist"], True),
    "nx-serve-as-start": (
        {"index.html": "", "vite.config.ts": "outDir: './dist/shop'"},
        ("dev:nx", "dev:vite"),
        {"start": "nx serve", "build": "nx build"},
        ["dist/shop", "dist"],
        True,
    ),
    "create-react-app": (
        {"public/index.html": ""},
        ("react-scripts",),
        {"start": "react-scripts start", "build": "react-scripts build"},
        ["build"],
        True,
    ),
    "create-react-app-elsewhere": (
        {},
        ("react-scripts",),
        {"start": "react-scripts start", "build": "BUILD_PATH=./docs react-scripts build"},
        ["docs", "build"],
        True,
    ),
    "vue-cli": (
        {"vue.config.js": "module.exports = { outputDir: 'www' }"},
        ("dev:@vue/cli-service",),
        {"serve": "vue-cli-service serve", "build": "vue-cli-service build"},
        ["www", "dist"],
        True,
    ),
    "astro": (
        {"astro.config.mjs": "export default defineConfig({})"},
        ("astro",),
        {"dev": "astro dev", "start": "astro dev", "build": "astro build"},
        ["dist"],
        False,
    ),
    "astro-out-dir": (
        {"astro.config.mjs": "export default defineConfig({ outDir: './site' })"},
        ("astro",),
        {"build": "astro build"},
        ["site", "dist"],
        False,
    ),
    "docusaurus": (
        {"docusaurus.config.ts": ""},
        ("@docusaurus/core",),
        {"start": "docusaurus start", "build": "docusaurus build", "serve": "docusaurus serve"},
        ["build"],
        False,
    ),
    "eleventy": (
        {"index.md": ""},
        ("@11ty/eleventy",),
        {"start": "eleventy --serve", "build": "eleventy"},
        ["_site"],
        False,
    ),
    "eleventy-elsewhere": (
        {"eleventy.config.js": "return { dir: { input: 'src', output: 'public' } }"},
        ("@11ty/eleventy",),
        {"build": "eleventy"},
        ["public", "_site"],
        False,
    ),
    "vitepress": (
        {},
        ("dev:vitepress",),
        {"docs:dev": "vitepress dev docs", "build": "vitepress build docs"},
        ["docs/.vitepress/dist"],
        False,
    ),
    "vitepress-elsewhere": (
        {},
        ("dev:vitepress",),
        {"dev": "vitepress dev pages", "docs:build": "vitepress build pages"},
        ["pages/.vitepress/dist", "docs/.vitepress/dist"],
        False,
    ),
    "storybook": (
        {},
        ("dev:storybook", "dev:vite"),
        {"storybook": "storybook dev -p 6006", "build-storybook": "storybook build"},
        ["storybook-static"],
        False,
    ),
    "storybook-as-build": (
        {"index.html": ""},
        ("dev:storybook", "dev:react-scripts"),
        {"build": "tsc && storybook build --quiet -o shown"},
        ["shown", "storybook-static"],
        False,
    ),
    "storybook-beside-an-app": (
        {"index.html": ""},
        ("dev:storybook", "dev:vite"),
        {"build": "vite build", "build-storybook": "storybook build"},
        ["dist"],
        True,
    ),
    "gatsby": (
        {},
        ("gatsby",),
        {"start": "gatsby develop", "build": "gatsby build", "serve": "gatsby serve"},
        ["public"],
        False,
    ),
    "angular": (
        {
            "angular.json": '{"projects": {"shop": {"architect": {"build": '
            '{"builder": "@angular/build:application", "options": {"browser": "src/main.ts"}}}}}}'
        },
        ("@angular/core", "dev:@angular/cli"),
        {"start": "ng serve", "build": "ng build"},
        ["dist/shop/browser", "dist/shop"],
        True,
    ),
    "angular-elsewhere": (
        {
            "angular.json": '{"projects": {"shop": {"architect": {"build": '
            '{"options": {"outputPath": {"base": "out", "browser": ""}}}}}}}'
        },
        ("@angular/core", "dev:@angular/cli"),
        {"start": "ng serve", "build": "ng build"},
        ["out"],
        True,
    ),
    "parcel": (
        {"src/index.html": ""},
        ("dev:parcel",),
        {"start": "parcel", "build": "parcel build --dist-dir web"},
        ["web", "dist"],
        True,
    ),
    "next-export": (
        {"next.config.mjs": "const c = { output: 'export' }"},
        ("next",),
        {"build": "next build", "start": "next dev"},
        ["out"],
        False,
    ),
    "nuxt-generate": (
        {},
        ("nuxt",),
        {"build": "nuxt generate"},
        [".output/public", "dist"],
        False,
    ),
    "sveltekit-static": (
        {"svelte.config.js": "adapter({ pages: 'out' })"},
        ("dev:@sveltejs/kit", "dev:@sveltejs/adapter-static", "dev:vite"),
        BUILD,
        ["out", "build"],
        False,
    ),
    "react-router-spa": (
        {"react-router.config.ts": "export default { ssr: false }"},
        ("dev:@react-router/dev", "@react-router/node", "dev:vite"),
        {"build": "react-router build", "dev": "react-router dev"},
        ["build/client"],
        True,
    ),
    "html-beside-tools": (
        {"index.html": '<script src="./index.js">', "index.js": ""},
        ("dev:prettier",),
        {"format": "prettier ."},
        [""],
        False,
    ),
    "html-in-public": ({"public/index.html": ""}, (), {}, ["public"], False),
    "unknown-bundler": (
        {"index.html": ""},
        ("dev:webpack",),
        {"build": "webpack", "start": "webpack serve"},
        ["dist", "build"],
        False,
    ),
    "static-json": (
        {"static.json": '{"root": "web/", "routes": {"/**": "index.html"}}'},
        ("astro",),
        {"build": "astro build"},
        ["web"],
        True,
    ),
    "netlify-toml": (
        {"netlify.toml": '[build]\npublish = "target/site"'},
        ("vite",),
        BUILD,
        ["target/site"],
        True,
    ),
}


@pytest.mark.parametrize("name", SITES)
def test_a_site_is_served_from_the_folder_that_its_framework_builds(name: str) -> None:
    files, needs, scripts, folders, single = SITES[name]
    plan = made(files, needs, scripts=scripts, main="index.js")
    found = site(plan)
    assert list(found.folders[: len(folders)]) == folders
    assert found.is_single_page is single
    assert not plan.prune.command
    unfit = scripts.get("start", "")
    said = [notice.id for notice in plan.notices if notice.id == "development_server"]
    assert len(said) == (1 if unfit else 0), plan.notices


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("vite", ("node_modules/.bin/vite", "build")),
        ("@11ty/eleventy", ("node_modules/.bin/eleventy",)),
        ("gatsby", ("node_modules/.bin/gatsby", "build")),
        ("astro", ("node_modules/.bin/astro", "build")),
    ],
)
def test_without_a_build_script_the_framework_is_run_itself(
    name: str, command: tuple[str, ...]
) -> None:
    plan = made({}, (name,), main="index.js")
    assert site(plan)
    assert plan.build.command == command


@pytest.mark.parametrize(
    ("name", "scripts", "run"),
    [
        ("vitepress", {"docs:dev": "vitepress dev docs", "docs:build": "vitepress build docs"}, 1),
        ("storybook", {"build-storybook": "storybook build"}, 0),
        ("vite", {"watch": "vite build --watch", "release": "NODE_ENV=production vite build"}, 1),
        ("@11ty/eleventy", {"serve": "eleventy --serve", "pages": "eleventy --input=src"}, 1),
    ],
)
def test_what_builds_a_site_under_another_name_is_its_build_script(
    name: str, scripts: dict[str, str], run: int
) -> None:
    plan = made({}, (f"dev:{name}",), scripts=scripts)
    site(plan)
    assert plan.build.command == ("npm", "run", list(scripts)[run])


SERVERS: dict[str, tuple[dict[str, Any], tuple[str, ...], dict[str, str], str]] = {
    "vite-with-a-server": ({"server.js": ""}, ("vite", "express"), BUILD, "node server.js"),
    "serve": ({}, ("vite", "serve"), {**BUILD, "start": "serve -s dist"}, "serve -s dist"),
    "procfile": ({"Procfile": "web: node x.js"}, ("vite",), BUILD, "node x.js"),
    "own-start": ({}, ("vite",), {**BUILD, "start": "node prod.mjs"}, "node prod.mjs"),
    "express-and-vite": (
        {"src/main.js": "", "index.html": ""},
        ("express", "dev:vite"),
        BUILD,
        "node src/main.js",
    ),
    "nuxt": (
        {},
        ("nuxt", "vue"),
        {"build": "nuxt build", "dev": "nuxt dev"},
        "node .output/server/index.mjs",
    ),
    "next": (
        {},
        ("next",),
        {"build": "next build", "start": "next start", "dev": "next dev"},
        "next start",
    ),
    "next-dev": ({}, ("next",), {"build": "next build", "start": "next dev"}, "next start"),
    "nest": (
        {},
        ("@nestjs/core", "dev:@nestjs/cli"),
        {"build": "nest build", "start": "nest start", "start:prod": "node dist/main"},
        "node dist/main",
    ),
    "nest-alone": (
        {},
        ("@nestjs/core", "dev:@nestjs/cli"),
        {"build": "nest build", "start": "nest start"},
        "node dist/main",
    ),
    "angular-ssr": (
        {},
        ("@angular/core", "@angular/ssr", "dev:@angular/cli"),
        {
            "start": "ng serve",
            "build": "ng build",
            "serve:ssr:shop": "node dist/shop/server/server.mjs",
        },
        "node dist/shop/server/server.mjs",
    ),
    "adonis": (
        {"bin/server.ts": "", "vite.config.ts": ""},
        ("@adonisjs/core", "dev:@adonisjs/assembler", "dev:vite"),
        {"start": "node bin/server.js", "build": "node ace build", "dev": "node ace serve --hmr"},
        "node build/bin/server.js",
    ),
    "adonis-5": (
        {"server.ts": "", "ace": ""},
        ("@adonisjs/core", "dev:@adonisjs/assembler"),
        {"start": "node server.js", "build": "node ace build --production"},
        "node build/server.js",
    ),
    "astro-node": (
        {"astro.config.mjs": "output: 'server', adapter: node({ mode: 'standalone' })"},
        ("astro", "@astrojs/node"),
        {"dev": "astro dev", "build": "astro build", "preview": "astro preview"},
        "node ./dist/server/entry.mjs",
    ),
    "sveltekit": (
        {"svelte.config.js": "import adapter from '@sveltejs/adapter-auto'"},
        ("dev:@sveltejs/kit", "dev:@sveltejs/adapter-auto", "dev:vite"),
        {"dev": "vite dev", "build": "vite build", "preview": "vite preview"},
        "node build",
    ),
    "react-router": (
        {},
        ("@react-router/serve", "@react-router/node", "dev:@react-router/dev", "dev:vite"),
        {"build": "react-router build", "start": "react-router-serve ./build/server/index.js"},
        "react-router-serve ./build/server/index.js",
    ),
    "tanstack-nitro": (
        {},
        ("@tanstack/react-start", "nitro", "dev:vite"),
        BUILD,
        "node .output/server/index.mjs",
    ),
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_is_run_as_its_makers_advise(name: str) -> None:
    files, needs, scripts, command = SERVERS[name]
    plan = made(files, needs, scripts=scripts, main="src/main.js")
    assert plan.site is None
    assert " ".join(plan.processes["web"].argv) == command


def test_a_start_script_for_the_folder_of_the_build_is_told_the_procfile_that_says_so() -> None:
    files, needs, scripts, command = SERVERS["adonis"]
    (notice,) = [n for n in made(files, needs, scripts=scripts).notices if n.id == "start_in_build"]
    line = notice.hint.partition("echo '")[2].partition("' > Procfile && git add Procfile && ")[0]
    plan = made({**files, "Procfile": line}, needs, scripts=scripts)
    assert " ".join(plan.processes["web"].argv) == command
    assert not [n for n in plan.notices if n.id == "start_in_build"]


def test_sveltekit_is_told_to_build_a_server_and_that_a_router_stands_before_it() -> None:
    files, needs, scripts, _ = SERVERS["sveltekit"]
    plan = made(files, needs, scripts=scripts)
    assert plan.build.environment["GCP_BUILDPACKS"] == "true"
    assert plan.processes["web"].environment["PROTOCOL_HEADER"] == "x-forwarded-proto"
    assert "GCP_BUILDPACKS" not in plan.environment


NEXT_PAGES = {"src/app/layout.tsx": "", "src/app/page.tsx": ""}
UNBUILT: dict[str, tuple[dict[str, Any], tuple[str, ...], str, str, str]] = {
    "next": ({}, ("next",), "next start -p $PORT", "next start -p $PORT", "next"),
    "next-alone": ({}, ("next",), "next", "next start", "next"),
    "next-inside": ({"s.js": "", **NEXT_PAGES}, ("next",), "node s.js", "node s.js", "next"),
    "next-in-server": ({"server.js": "", **NEXT_PAGES}, ("next",), "", "node server.js", "next"),
    "next-procfile": ({"Procfile": "web: npx next start"}, ("next",), "", "npx next start", "next"),
    "nuxt": (
        {},
        ("nuxt",),
        "node .output/server/index.mjs",
        "node .output/server/index.mjs",
        "nuxt",
    ),
    "not-its-server": ({"s.js": "", "app/routes.js": ""}, ("next",), "node s.js", "node s.js", ""),
    "nest-elsewhere": ({}, ("@nestjs/core",), "node lib/main", "node lib/main", ""),
}


@pytest.mark.parametrize("name", UNBUILT)
def test_what_only_a_build_makes_is_built_though_no_script_says_so(name: str) -> None:
    files, needs, script, command, builder = UNBUILT[name]
    plan = made(files, needs, scripts={"start": script} if script else {})
    web = plan.processes["web"].argv
    assert " ".join(web[2:] if web[0] == "sh" else web).removeprefix("exec ") == command
    expected = (f"node_modules/.bin/{builder}", "build") if builder else ()
    assert plan.build.command == expected


def test_a_release_process_stays_beside_a_site() -> None:
    plan = made({"Procfile": "release: node tell.js"}, ("vite", "dev:x"), scripts=BUILD)
    assert site(plan)
    assert set(plan.processes) == {"web", "release"}
    assert plan.prune.command


@pytest.mark.parametrize("root", ["../x", "/../x", "a;b", "a\nb", "$HOME", ".git"])
def test_a_folder_outside_of_the_tree_is_refused_by_the_file_that_names_it(root: str) -> None:
    files = {"static.json": f'{{"root": {root!r}}}'.replace("'", '"')}
    with pytest.raises(Refused) as raised:
        made(files, ("vite",), scripts=BUILD)
    assert "static.json names" in raised.value.failure.message


def test_a_starter_that_only_develops_is_told_what_adds_its_server() -> None:
    starter = {"build": "qwik build", "start": "vite --open --mode ssr"}
    needs = ("dev:@builder.io/qwik", "dev:@builder.io/qwik-city", "dev:undici", "dev:vite")
    with pytest.raises(Refused) as told:
        made({}, needs, scripts=starter)
    hint = told.value.failure.hint
    assert "npm install && npx qwik add express --skipConfirmation=true && " in hint
    assert "npm install --save-prod undici && npm install --save-prod dotenv && " in hint
    plan = made({}, (*needs, "express"), scripts={**starter, "serve": "node server/entry.express"})
    assert plan.processes["web"].argv == ("node", "server/entry.express")
