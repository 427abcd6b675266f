"""An app in a folder of its repository: alone there, or one of the workspaces of a root above."""

import json
from typing import Any

import pytest

from buildpacks import roots
from buildpacks.findings import Refused
from buildpacks.nodejs import workspaces
from buildpacks.plan import Previous
from buildpacks.tree import below
from tests.buildpacks.nodejs.test_plan import EXPRESS, planned
from tests.buildpacks.nodejs.trees import Files, app

PNPM_LOCK = "lockfileVersion: '9.0'\nimporters:\n  .: {}\n  apps/web: {}\npackages: {}\n"


def monorepo(
    files: dict[str, Any] | None = None,
    root: dict[str, Any] | None = None,
    lock: dict[str, Any] = EXPRESS,
    **web: Any,
) -> Files:
    """npm's workspaces `apps/*` and `packages/*`: `web` needs `ui`, which needs `tokens`."""

    def package(name: str, **fields: Any) -> str:
        return json.dumps({"name": name, "version": "1.0.0", **fields})

    web = {"scripts": {"start": "node main.js", "build": "node build.js"}} | web
    build = {"scripts": {"build": "tsc"}}
    return app(
        {
            "apps/web/package.json": package("web", dependencies={"ui": "*"}, **web),
            "apps/web/main.js": "",
            "apps/other/package.json": package("other", **build),
            "packages/ui/package.json": package("ui", dependencies={"tokens": "*"}, **build),
            "packages/tokens/package.json": package("tokens", **build),
            **(files or {}),
        },
        lock,
        workspaces=["apps/*", "packages/*"],
        **(root or {}),
    )


def test_one_of_several_workspaces_is_installed_at_their_root_and_started_in_its_folder() -> None:
    made = planned(monorepo(), folder="apps/web")
    assert (made.folder, made.installs_in) == ("apps/web", "")
    assert (made.install.command, made.install.folder) == (("npm", "ci", "--include=dev"), "")
    assert made.processes["web"].argv == ("node", "main.js")
    assert ".cache" in made.caches
    assert "apps/web/.next/cache" in made.caches


def test_the_workspaces_that_it_needs_are_built_first_and_others_are_not() -> None:
    build = planned(monorepo(), folder="apps/web").build
    assert build.command[4:] == ("packages/tokens", "packages/ui")
    assert build.command[2].endswith("exec npm run build")
    assert build.folder == "apps/web"
    assert build.title == "Building, after packages/tokens, packages/ui"


def test_the_root_of_a_workspace_is_nobodys_home_while_it_is_built() -> None:
    whole = monorepo(root={"scripts": {"start": "node apps/web/main.js", "build": "turbo build"}})
    assert planned(whole).build.leaves_home
    assert planned(monorepo(), folder="apps/web").build.leaves_home
    assert not planned(app({}, EXPRESS, scripts={"start": "x", "build": "y"})).build.leaves_home


def test_what_it_needs_is_built_for_an_app_without_a_build_of_its_own() -> None:
    build = planned(monorepo(scripts={"start": "node main.js"}), folder="apps/web").build
    assert build.command[4:] == ("packages/tokens", "packages/ui")
    assert build.command[2].endswith("exec true")


def test_workspaces_that_need_each_other_end_the_search() -> None:
    circle = {"name": "tokens", "dependencies": {"ui": "*", "web": "*"}, "scripts": {"build": "x"}}
    tree = monorepo({"packages/tokens/package.json": json.dumps(circle)})
    assert workspaces.needed_by(tree, "apps/web") == ["packages/tokens", "packages/ui"]


@pytest.mark.parametrize(
    ("file", "tool", "command"),
    [
        ("turbo.json", "turbo", ("turbo", "run", "build", "--filter=./apps/web")),
        ("nx.json", "nx", ("nx", "run", "web:build")),
    ],
)
def test_the_repositorys_own_tool_builds_where_there_is_one(
    file: str, tool: str, command: tuple[str, ...]
) -> None:
    root = {"devDependencies": {tool: "*"}}
    tree = monorepo({file: "{}"}, root, {tool: {"version": "2.0.0", "dev": True}})
    build = planned(tree, folder="apps/web").build
    assert (build.command, build.folder) == (command, "")
    own = {"start": "node main.js", "build": "x", "heroku-postbuild": "y"}
    tree = monorepo({file: "{}"}, root, {tool: {"version": "2.0.0", "dev": True}}, scripts=own)
    assert planned(tree, folder="apps/web").build.command[2].endswith("npm run heroku-postbuild")


def nx(scripts: dict[str, str] | None = None, **files: str) -> Files:
    """As create-nx-workspace makes it: all packages in the root, no script anywhere."""
    root = {"scripts": scripts or {}, "devDependencies": {"nx": "*", "vite": "*"}}
    page = {"apps/web/vite.config.mts": "build: { outDir: './dist' }", "apps/web/index.html": ""}
    web = {"apps/web/package.json": '{"name": "@app/web"}', **page}
    lock = {"nx": {"version": "2.0.0", "dev": True}, "vite": {"version": "2.0.0", "dev": True}}
    files = {"nx.json": "{}", **web, **files}
    return app(files, lock, workspaces=["apps/*", "packages/*"], **root)


def test_a_workspace_has_the_framework_that_its_root_installs_and_it_configures() -> None:
    made = planned(nx(), folder="apps/web")
    assert made.site is not None
    assert made.site.folders == ("dist", "build")
    assert (made.build.command, made.build.folder) == (("nx", "run", "@app/web:build"), "")
    named = nx(**{"apps/web/package.json": '{"name": "@app/web", "nx": {"name": "web"}}'})
    assert planned(named, folder="apps/web").build.command == ("nx", "run", "web:build")


def test_a_root_without_an_app_of_its_own_says_which_there_are() -> None:
    with pytest.raises(Refused) as told:
        planned(nx())
    assert told.value.failure.hint.endswith("push again: paas apps:set --root apps/web")
    with pytest.raises(Refused) as told:
        planned(nx({"build": "turbo run build", "start": "turbo run dev"}))
    assert "a start script for development" in told.value.failure.message
    assert told.value.failure.hint.endswith("push again: paas apps:set --root apps/web")
    starts = '{"name": "api", "scripts": {"start": "node ."}}'
    with pytest.raises(Refused) as told:
        planned(nx(**{"apps/api/package.json": starts, "packages/ui/package.json": "{}"}))
    assert told.value.failure.hint.endswith("--root <one of apps/api, apps/web>")


def test_a_root_with_a_program_of_its_own_is_an_app() -> None:
    made = planned(nx(**{"index.js": ""}))
    assert made.processes["web"].argv == ("node", "index.js")


def test_pnpms_workspaces_are_found_by_their_file() -> None:
    tree = Files(
        **{
            "package.json": "{}",
            "pnpm-workspace.yaml": "packages:\n  - 'apps/*'\n",
            "pnpm-lock.yaml": PNPM_LOCK,
            "apps/web/package.json": '{"scripts": {"start": "node ."}}',
        }
    )
    assert workspaces.root_of(tree, "apps/web") == ""
    assert workspaces.root_of(tree, "elsewhere") == "elsewhere"


@pytest.mark.parametrize("lock", ["package-lock.json", "yarn.lock", "bun.lock"])
def test_a_folder_with_a_lock_file_of_its_own_is_on_its_own(lock: str) -> None:
    assert workspaces.root_of(monorepo({f"apps/web/{lock}": "{}"}), "apps/web") == "apps/web"


def test_an_app_that_is_no_workspace_is_installed_in_its_folder() -> None:
    own = app(lock=EXPRESS, dependencies={"express": "^5"}, scripts={"start": "node ."}).files
    tree = Files(**{f"services/api/{path}": content for path, content in own.items()})
    made = planned(tree, folder="services/api")
    assert (made.folder, made.installs_in) == ("services/api", "services/api")
    assert made.install.folder == made.prune.folder or made.prune.skip
    assert made.install.folder == "services/api"
    root = planned(Files(**{path: content for path, content in own.items()}))
    assert made.dependencies_key != root.dependencies_key


def test_what_is_refused_names_the_folder_to_mend_it_in() -> None:
    tree = Files(**{"api/package.json": '{"dependencies": {"a": "1"}}'})
    with pytest.raises(Refused) as raised:
        planned(tree, folder="api")
    failure = raised.value.failure
    assert failure.id == "missing_lock_file"
    assert failure.message.endswith("(in api)")
    assert failure.hint.startswith("In api: npm install --package-lock-only")


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({}, "24.19.0"),
        ({".nvmrc": "22"}, "22.23.3"),
        ({"package.json": '{"workspaces": ["apps/*"], "engines": {"node": "22"}}'}, "22.23.3"),
        ({".nvmrc": "22", "apps/web/.nvmrc": "24.21.0"}, "24.21.0"),
    ],
)
def test_the_version_of_nodejs_is_the_nearest_that_is_named(files: Any, version: str) -> None:
    assert planned(monorepo(files), folder="apps/web").runtime.version == version


def test_equal_keys_skip_the_installation_in_a_folder_too() -> None:
    first = planned(monorepo(), folder="apps/web")
    again = planned(monorepo(), folder="apps/web", previous=Previous(first.dependencies_key))
    assert again.install.skip == "package-lock.json has not changed"


def test_a_view_of_a_folder_never_leaves_the_tree() -> None:
    view = below(Files(**{"a/b/file": "inner", "secret": "outer"}), "a/b")
    assert view.read("file", 9) == b"inner"
    assert view.read("../../secret", 9) == b"outer"
    assert view.read("../../../secret", 9) is None
    assert view.read("/secret", 9) is None
    assert view.names("../..") == ["a/", "secret"]
    assert view.names("../../..") == []
    assert view.digest("../../..") is None


def test_a_folder_that_is_not_there_is_refused_with_those_that_are() -> None:
    tree = Files(
        **{
            "services/api/package.json": "{}",
            "services/web/package.json": "{}",
            "services/api/node_modules/x/package.json": "{}",
            "README": "",
        }
    )
    with pytest.raises(Refused) as raised:
        roots.check(tree, "service/api")
    assert "services/api, services/web" in raised.value.failure.message
    assert raised.value.failure.hint.endswith("paas apps:set --root services/api")
    roots.check(tree, "services/web")
    roots.check(tree, "")


def test_a_hint_for_a_repository_of_folders_names_the_setting() -> None:
    with pytest.raises(Refused) as raised:
        planned(Files(**{"a/b/package.json": "{}"}), folder="a")
    assert raised.value.failure.message.startswith("no package.json in a, which holds: b/")
    assert raised.value.failure.hint.endswith("paas apps:set --root a/b")
