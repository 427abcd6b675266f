"""What a plan says for a tree, and what it refuses."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from buildpacks.findings import Refused
from buildpacks.nodejs import detect, plan
from buildpacks.nodejs.versions import Offer
from buildpacks.plan import Plan, Previous
from tests.buildpacks.nodejs.trees import Files, app

OFFER = Offer(["22.23.3", "24.19.0", "24.21.0"], ["24.19.0"], date(2026, 11, 22))
EXPRESS = {"express": {"version": "5.1.0"}}
DEV = {"esbuild": {"version": "0.25.0", "dev": True}}


def planned(tree: Files, **options: Any) -> Plan:
    return plan(tree, offer=OFFER, architecture="x64", **options)


def express(**fields: Any) -> Files:
    return app(lock=EXPRESS, dependencies={"express": "^5"}, scripts={"start": "node ."}, **fields)


def refusal(tree: Files) -> tuple[str, str, str]:
    with pytest.raises(Refused) as raised:
        planned(tree)
    failure = raised.value.failure
    return failure.id, failure.message, failure.hint


def test_an_app_with_a_lock_file_is_installed_with_dev_dependencies() -> None:
    made = planned(express())
    assert made.install.command == ("npm", "ci", "--include=dev")
    assert made.install.environment["NODE_ENV"] is None
    assert made.environment == {"NODE_ENV": "production"}


def test_an_unchanged_key_skips_the_installation() -> None:
    first = planned(express())
    again = planned(express(), previous=Previous(first.dependencies_key))
    assert again.install.skip == "package-lock.json has not changed"


@pytest.mark.parametrize(
    ("files", "same"),
    [
        ({"index.js": "other"}, True),
        ({"README": "new"}, True),
        ({".npmrc": "legacy-peer-deps=true"}, False),
        ({"patches/express+5.1.0.patch": "diff"}, False),
        ({"patches/nested/a.patch": "diff"}, False),
        ({".nvmrc": "24.21.0"}, True),
        ({".nvmrc": "22"}, False),
    ],
)
def test_the_key_follows_what_an_installation_depends_on(files: Any, same: bool) -> None:
    assert (
        planned(express(files=files)).dependencies_key == planned(express()).dependencies_key
    ) is same


@pytest.mark.parametrize(
    ("config", "same"),
    [
        ({"SECRET": "x"}, True),
        ({"NPM_CONFIG_LEGACY_PEER_DEPS": "true"}, False),
        ({"npm_config_build_from_source": "true"}, False),
        ({"CXXFLAGS": "-O0"}, False),
    ],
)
def test_config_vars_that_npm_and_compilers_obey_are_in_the_key(config: Any, same: bool) -> None:
    key = planned(express()).dependencies_key
    assert (planned(express(), config=config).dependencies_key == key) is same


@pytest.mark.parametrize(
    ("script", "path", "same"),
    [
        ("patch-package --patch-dir tools/fixes", "tools/fixes/a.patch", False),
        ("node ./scripts/patch.js", "scripts/patch.js", False),
        ("cp -r fixes/* node_modules/", "fixes/a.js", False),
        ("cd client && npm ci", "client/index.js", True),
        ("npm ci --prefix=client", "client/index.js", True),
    ],
)
def test_files_that_own_install_scripts_name_are_in_the_key(
    script: str, path: str, same: bool
) -> None:
    def key(content: str) -> str:
        scripts = {"start": "node .", "postinstall": script}
        tree = app({path: content}, EXPRESS, dependencies={"express": "^5"}, scripts=scripts)
        return planned(tree).dependencies_key

    assert (key("1") == key("2")) is same


def test_install_scripts_run_again_over_unchanged_dependencies() -> None:
    tree = app(
        lock=EXPRESS,
        dependencies={"express": "^5"},
        scripts={"start": "node .", "postinstall": "prisma generate"},
    )
    again = planned(tree, previous=Previous(planned(tree).dependencies_key))
    assert " && npm run postinstall && " in again.install.command[2]
    assert again.runs_scripts


@pytest.mark.parametrize(
    ("scripts", "command"),
    [
        ({"prepare": "x"}, "npm run prepare"),
        # npm runs the events before and after one by itself.
        ({"preprepare": "x", "prepare": "x", "postprepare": "x"}, "npm run prepare"),
        ({"preinstall": "x", "install": "x", "postinstall": "x"}, "npm run install"),
        ({"preinstall": "x", "postinstall": "x", "prepublish": "x"},
         "npm run preinstall && npm run postinstall && npm run prepublish"),
    ],
)  # fmt: skip
def test_the_apps_own_scripts_run_in_npms_order_and_once(scripts: Any, command: str) -> None:
    tree = app(lock=EXPRESS, dependencies={"express": "^5"}, scripts={"start": "x", **scripts})
    again = planned(tree, previous=Previous(planned(tree).dependencies_key))
    assert f"$(mktemp) && {command} && changed=" in again.install.command[2]
    assert again.install.fallback == ("npm", "ci", "--include=dev")


def test_scripts_of_dependencies_are_named_and_never_part_of_a_shells_text() -> None:
    first = planned(express())
    again = planned(
        express(), previous=Previous(first.dependencies_key, scripts=("@prisma/client", "x"))
    )
    assert again.install.title == "Running install scripts again: @prisma/client, x"
    assert again.install.command == (
        "sh", "-c", 'npm rebuild --include=dev "$@"', "sh", "@prisma/client", "x",
    )  # fmt: skip
    unknown = planned(express(), previous=Previous(first.dependencies_key, scripts=None))
    assert unknown.install.command == ("npm", "ci", "--include=dev")


def newer(scripts: dict[str, str] | None = None, **fields: Any) -> Files:
    """An express app after a package was added."""
    return app(
        lock={**EXPRESS, "ms": {"version": "2.1.3"}},
        dependencies={"express": "^5", "ms": "2"},
        scripts={"start": "node .", **(scripts or {})},
        **fields,
    )


def test_what_another_lock_file_gave_is_updated_and_scripts_run_again_over_it() -> None:
    previous = Previous(planned(express()).dependencies_key, scripts=("@prisma/client",))
    made = planned(newer(), previous=previous)
    assert made.install.title == "Updating dependencies"
    assert made.updates and not made.installs_afresh
    assert made.install.command[2].endswith(' package-lock.json && npm rebuild --include=dev "$@"')
    assert made.install.command[4:] == ("@prisma/client",)
    assert made.install.fallback == ("npm", "ci", "--include=dev")


@pytest.mark.parametrize(
    "tree",
    [
        newer({"postinstall": "x"}),
        newer({"heroku-prebuild": "x"}),
        newer(files={".npmrc": "legacy-peer-deps=true"}),
        newer(files={".nvmrc": "22"}),
        newer(files={"binding.gyp": ""}),
        newer(files={"patches/ms.patch": "x"}),
        newer(allowScripts={"ms": True}),
        newer(dependenciesMeta={"ms": {"built": True}}),
        app(
            {"package-lock.json": '{"lockfileVersion": 1, "dependencies": {"ms": {}}}'},
            dependencies={"ms": "2"},
            scripts={"start": "node ."},
        ),
    ],
)
def test_in_other_circumstances_all_is_installed_afresh(tree: Files) -> None:
    previous = Previous(planned(express()).dependencies_key)
    made = planned(tree, previous=previous)
    assert made.installs_afresh and not made.updates
    unknown = planned(newer(), previous=replace(previous, scripts=None))
    assert unknown.installs_afresh


def linked(source: str = "1", **package: Any) -> Files:
    lock = {"lib": {"resolved": "packages/lib", "link": True}}
    files = {"packages/lib/package.json": json.dumps(package), "packages/lib/index.ts": source}
    return app(files, lock, workspaces=["packages/*"], scripts={"start": "node ."})


@pytest.mark.parametrize(
    ("package", "files", "repeated"),
    [
        ({"scripts": {"prepare": "tsc"}}, {}, True),
        ({"scripts": {"postinstall": "x"}}, {}, True),
        ({"scripts": {"build": "x"}}, {}, False),
        ({}, {"packages/lib/binding.gyp": ""}, True),
    ],
)
def test_linked_folders_run_their_scripts_each_time(
    package: Any, files: Any, repeated: bool
) -> None:
    tree = linked(**package)
    tree.files |= {path: text.encode() for path, text in files.items()}
    again = planned(tree, previous=Previous(planned(tree).dependencies_key))
    assert again.install.command[4:] == (("lib",) if repeated else ())


def test_what_a_linked_folder_depends_on_is_part_of_the_key_and_its_source_is_not() -> None:
    key = planned(linked()).dependencies_key
    assert planned(linked(source="2")).dependencies_key == key
    assert planned(linked(dependencies={"a": "1"})).dependencies_key != key
    assert planned(linked(bin="cli.js")).dependencies_key != key


def test_no_scripts_are_repeated_where_npm_is_told_to_run_none() -> None:
    tree = linked(scripts={"prepare": "tsc"})
    tree.files[".npmrc"] = b"ignore-scripts=true\n"
    previous = Previous(planned(tree).dependencies_key)
    assert planned(tree, previous=previous).install.skip
    config = {"NPM_CONFIG_IGNORE_SCRIPTS": "false"}
    previous = Previous(planned(tree, config=config).dependencies_key)
    assert planned(tree, previous=previous, config=config).install.command


def test_own_scripts_run_in_an_app_without_dependencies() -> None:
    made = planned(app({"server.js": ""}, scripts={"postinstall": "x"}))
    assert made.install.command[2] == "npm run postinstall"
    assert not made.install.fallback


def test_an_app_without_dependencies_needs_no_lock_file() -> None:
    made = planned(app(files={"server.js": ""}))
    assert made.install.skip == "package.json has none"
    assert made.processes["web"].argv == ("node", "server.js")


@pytest.mark.parametrize(
    ("scripts", "command"),
    [
        ({"build": "tsc"}, ("npm", "run", "build")),
        ({"build": "tsc", "heroku-postbuild": "x"}, ("npm", "run", "heroku-postbuild")),
        ({}, ()),
    ],
)
def test_heroku_postbuild_takes_the_place_of_build(scripts: Any, command: Any) -> None:
    assert planned(app(scripts={"start": "node .", **scripts})).build.command == command


def test_options_for_the_running_app_stay_out_of_its_build() -> None:
    config = {"NODE_OPTIONS": "--require express --import ./dist/i.mjs --max-old-space-size=900"}
    made = planned(
        app(lock=EXPRESS, dependencies={"express": "^5"}, scripts={"start": "x", "build": "tsc"}),
        config=config,
    )
    assert made.install.environment["NODE_OPTIONS"] == "--max-old-space-size=900"
    assert made.build.environment["NODE_OPTIONS"] == "--require express --max-old-space-size=900"
    said = [notice.message for notice in made.notices if notice.id == "node_options_left_out"]
    assert said == ["NODE_OPTIONS: --import ./dist/i.mjs is left out while the app is built"]
    only = planned(express(), config={"NODE_OPTIONS": "-r express"})
    assert only.install.environment["NODE_OPTIONS"] is None


@pytest.mark.parametrize(
    ("module", "there"),
    [
        ("express", True),
        ("express/lib/x", True),
        ("@a/b/c", False),
        ("ms", False),
        ("./instrument", True),
        ("./instrument.cjs", True),
        ("/app/instrument.cjs", True),
        ("file:///app/instrument.cjs", True),
        ("./dist/instrument.cjs", False),
        ("/opt/agent.js", True),
        ("node:fs", True),
    ],
)
def test_a_module_is_loaded_in_the_build_where_it_is_there(module: str, there: bool) -> None:
    tree = app(
        {"instrument.cjs": ""},
        EXPRESS,
        dependencies={"express": "^5"},
        scripts={"build": "x", "start": "x"},
    )
    made = planned(tree, config={"NODE_OPTIONS": f"--require {module}"})
    assert ("NODE_OPTIONS" not in made.build.environment) is there


def test_pruning_is_skipped_with_the_reason() -> None:
    tree = app(lock=DEV, devDependencies={"esbuild": "*"}, scripts={"start": "node ."})
    assert planned(tree).prune.command == ("npm", "prune", "--omit=dev", "--ignore-scripts")
    assert planned(express()).prune.skip == "there are none"
    assert planned(tree, config={"NODE_ENV": "test"}).prune.skip == "NODE_ENV is test"


@pytest.mark.parametrize(
    ("files", "package", "types", "source", "notices"),
    [
        ({"Procfile": "web: node a.js\nworker: npm start"}, {"scripts": {"start": "node b.js"}},
         {"web": ["node", "a.js"], "worker": ["node", "b.js"]}, "Procfile", []),
        ({"Procfile": "# only\nrelease: node m.js"}, {"scripts": {"start": "node b.js"}},
         {"web": ["node", "b.js"], "release": ["node", "m.js"]},
         "scripts.start in package.json", []),
        ({"server.js": "", "index.js": ""}, {"scripts": {"start": "node b.js"}},
         {"web": ["node", "b.js"]}, "scripts.start in package.json", []),
        ({"server.js": "", "index.js": ""}, {"main": "index.js"},
         {"web": ["node", "server.js"]}, "server.js", []),
        ({"lib/app.js": "", "index.js": ""}, {"main": "./lib/app.js"},
         {"web": ["node", "lib/app.js"]}, "lib/app.js", ["start_guessed"]),
        ({"index.js": ""}, {}, {"web": ["node", "index.js"]}, "index.js", ["start_guessed"]),
        ({}, {"main": "dist/a.js", "scripts": {"build": "tsc"}},
         {"web": ["node", "dist/a.js"]}, "dist/a.js", ["start_guessed"]),
    ],
)  # fmt: skip
def test_the_start_command_is_found(
    files: Any, package: Any, types: Any, source: str, notices: Any
) -> None:
    made = planned(app(files, engines={"node": "24.x"}, **package))
    assert {name: list(process.argv) for name, process in made.processes.items()} == types
    assert made.processes["web"].source == source
    assert [notice.id for notice in made.notices] == notices


@pytest.mark.parametrize("path", ["node-gyp", "sqlite3/node_modules/node-gyp"])
def test_a_node_gyp_that_a_dependency_brings_is_told_where_the_headers_are(path: str) -> None:
    lock = {**EXPRESS, path: {"version": "8.4.1"}}
    told = planned(app({"server.js": ""}, lock)).install.environment
    assert told["npm_config_nodedir"] == "/opt/node"
    assert "npm_config_nodedir" not in planned(app({"server.js": ""}, EXPRESS)).install.environment


def test_a_script_run_without_npm_has_npms_variables() -> None:
    made = planned(app(name="hello", version="1.2.3", scripts={"start": "node a.js"}))
    assert made.processes["web"].environment == {
        "npm_lifecycle_event": "start",
        "npm_lifecycle_script": "node a.js",
        "npm_package_name": "hello",
        "npm_package_version": "1.2.3",
    }


def test_a_worker_alone_is_built_and_the_missing_web_process_said() -> None:
    made = planned(app({"Procfile": "worker: node w.js"}, engines={"node": "24"}))
    assert [notice.id for notice in made.notices] == ["no_web_process"]


@pytest.mark.parametrize("name", ["procfile", "PROCFILE", "Procfile.txt"])
def test_a_procfile_by_another_name_is_said(name: str) -> None:
    files = {name: "web: node a.js", "server.js": ""}
    (notice,) = planned(app(files, engines={"node": "24"})).notices
    assert notice.message == f"{name} is not read: the name of the file has to be Procfile"
    assert (
        planned(app({**files, "Procfile": "web: node b.js"}, engines={"node": "24"})).notices == ()
    )


def test_node_modules_in_git_are_said() -> None:
    tree = app({"node_modules/a/index.js": "", "server.js": ""}, engines={"node": "24"})
    assert [notice.id for notice in planned(tree).notices] == ["node_modules_committed"]


def test_declared_caches_are_plain_paths_inside_the_tree() -> None:
    hostile = ["./tmp/cache/", "/etc", "../x", "a/../../x", "-rf", "a b", "$(id)", 7]
    made = planned(app({"server.js": ""}, cacheDirectories=hostile))
    assert made.caches[4:] == ("tmp/cache",)


def test_refuses_a_tree_without_package_json() -> None:
    assert refusal(Files(**{"README.md": "", "web/package.json": "{}"})) == (
        "no_package_json",
        "no package.json in the root of the repository, which holds: README.md, web/",
        "There is one in web/. To deploy that folder, say so and push again: "
        "paas apps:set --root web",
    )


@pytest.mark.parametrize(
    ("files", "language"),
    [
        (["requirements.txt", "main.py"], "Python"),
        (["main.py", "README.md"], "Python"),
        (["composer.json", "public/index.php"], "PHP"),
        (["index.php"], "PHP"),
        (["Gemfile", "config.ru"], "Ruby"),
        (["go.mod", "main.go"], "Go"),
        (["Cargo.toml", "src/main.rs"], "Rust"),
        (["pom.xml"], "Java or Kotlin"),
        (["Shop.csproj"], ".NET"),
    ],
)
def test_an_app_of_another_language_is_told_that_only_nodejs_is_built(
    files: list[str], language: str
) -> None:
    id_, message, _ = refusal(Files(**dict.fromkeys(files, "")))
    assert id_ == "only_nodejs"
    assert f"this is {language} (there is " in message
    assert "only Node.js apps" in message


def test_scripts_and_folders_of_nodejs_come_before_another_language() -> None:
    python = {"requirements.txt": "", "main.py": ""}
    assert refusal(Files(**python, **{"server.js": ""}))[0] == "no_package_json"
    assert "--root web" in refusal(Files(**python, **{"web/package.json": "{}"}))[2]


def test_a_main_that_nothing_makes_is_not_run() -> None:
    scripts = {"build": "vite build"}
    assert refusal(app(main="index.js", scripts=scripts))[0] == "no_start_command"
    assert planned(app(main="dist/a.js", scripts=scripts)).expected.files[0] == "dist/a.js"
    assert planned(app({"index.js": ""}, main="index.js")).expected.files[0] == "index.js"


@pytest.mark.parametrize(
    ("start", "found"),
    [
        ("nodemon server.js", "nodemon"),
        ("next dev", "next dev"),
        ("next dev -p $PORT", "next dev"),
        ("NODE_ENV=production npx next dev", "next dev"),
        ("next start", ""),
        ("vite", "vite"),
        ("vite --host 0.0.0.0", "vite"),
        ("vite preview", ""),
        ("vite build && node server.js", ""),
        ("docusaurus start", "docusaurus start"),
        ("docusaurus serve", ""),
        ("react-scripts start", "react-scripts start"),
        ("cross-env PORT=3000 react-scripts start", "react-scripts start"),
        ("ng serve --host 0.0.0.0", "ng serve"),
        ("npm run dev", "astro dev"),
        ("node --watch server.js", "node --watch"),
        ("tsx watch src/a.ts", "tsx watch"),
        ("tsx src/a.ts", ""),
        ("node server.js", ""),
        ("gatsby serve", ""),
        ("./node_modules/.bin/nodemon a.js", "nodemon"),
    ],
)
def test_a_development_server_is_told_before_it_is_released(start: str, found: str) -> None:
    tree = app(engines={"node": "24"}, scripts={"start": start, "dev": "astro dev"})
    notices = {notice.id: notice.message for notice in planned(tree).notices}
    said = f"`npm start` starts a development server ({found})" if found else None
    assert notices.get("development_server") == said


def test_refuses_invalid_json_with_line_and_column() -> None:
    tree = Files(**{"package.json": '{\n  "name": "a",\n}\n'})
    assert refusal(tree)[:2] == (
        "invalid_package_json",
        "package.json is not valid JSON, line 3 column 1: "
        "Expecting property name enclosed in double quotes",
    )


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "[]", '{"scripts": []x', '{"scripts": ["a"]}', "\xff\xfd", ""]
)
def test_refuses_a_package_json_that_is_no_manifest(content: str) -> None:
    tree = Files(**{"package.json": content.encode("latin-1")})
    assert refusal(tree)[0] == "invalid_package_json"


def test_refuses_several_lock_files_with_the_lines_that_remove_them() -> None:
    tree = app({"npm-shrinkwrap.json": "{}", "pnpm-lock.yaml": ""}, lock={})
    id_, message, hint = refusal(tree)
    assert (id_, message) == (
        "multiple_lock_files",
        "several lock files: package-lock.json, npm-shrinkwrap.json, pnpm-lock.yaml",
    )
    assert hint.splitlines() == [
        "Keep the one of your package manager:",
        "if you use npm (package-lock.json):  git rm pnpm-lock.yaml",
        "if you use pnpm (pnpm-lock.yaml):  git rm package-lock.json npm-shrinkwrap.json",
    ]


def test_refuses_dependencies_without_a_lock_file() -> None:
    assert refusal(app(dependencies={"express": "5"})) == (
        "missing_lock_file",
        "package.json has dependencies, but there is no package-lock.json",
        "npm install --package-lock-only && git add package-lock.json && git commit -m 'Lock'\n"
        "(if git ignores the file, take it out of .gitignore)",
    )


@pytest.mark.parametrize(
    ("package", "lock", "message"),
    [
        ({"dependencies": {"koa": "^3"}}, EXPRESS, "missing: koa@^3"),
        ({"dependencies": {"express": "^4"}}, EXPRESS,
         "express is 5.1.0, but package.json wants ^4"),
        ({"devDependencies": {"esbuild": "1"}}, DEV,
         "esbuild is 0.25.0, but package.json wants 1"),
    ],
)  # fmt: skip
def test_refuses_a_lock_file_out_of_sync(package: Any, lock: Any, message: str) -> None:
    id_, said, hint = refusal(app(lock=lock, **package))
    assert (id_, said) == (
        "npm_lockfile_out_of_sync",
        f"package-lock.json does not agree with package.json:\n{message}",
    )
    assert hint.startswith("npm install && git add package-lock.json")


def test_specifiers_that_are_no_ranges_are_left_to_npm() -> None:
    wanted = {"a": "latest", "b": "github:x/y", "c": "npm:other@1", "d": "file:../d", "e": "^9"}
    lock = {name: {"version": "9.0.0"} for name in wanted}
    planned(app({"server.js": ""}, lock=lock, dependencies=wanted))


def test_refuses_a_lock_file_that_is_an_lfs_pointer() -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    assert refusal(app({"package-lock.json": pointer}))[0] == "lfs_pointer"


def test_refuses_when_nothing_can_be_started() -> None:
    assert refusal(app({"README.md": ""})) == (
        "no_start_command",
        "nothing says how to start the app: no Procfile, no start script, no server.js "
        "(in the root: README.md, package.json)",
        "npm pkg set scripts.start='node <your file>.js' && git add package.json && "
        "git commit -m 'Say how to start'",
    )


def test_refuses_a_procfile_that_runs_a_missing_script() -> None:
    assert refusal(app({"Procfile": "web: npm start"}))[:2] == (
        "no_start_command",
        "Procfile: web runs `npm start`, but package.json has no start script",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("web: a\nworker b\n", "Procfile, line 2: 'worker b' is no process type"),
        ("web: a\n\n# x\nweb: b\n", "Procfile, line 4: web is declared a second time"),
        ("web:\n", "Procfile, line 1: 'web:' is no process type"),
        ("a.b: c\n", "Procfile, line 1: 'a.b: c' is no process type"),
    ],
)
def test_refuses_a_procfile_with_the_line_number(content: str, message: str) -> None:
    assert refusal(app({"Procfile": content}))[:2] == ("invalid_procfile", message)


def test_detects_what_looks_like_nodejs() -> None:
    assert detect(Files(**{"package.json": ""}))
    assert detect(Files(**{"server.js": ""}))
    assert not detect(Files(**{"main.py": "", "web/package.json": ""}))


def test_a_plan_can_be_printed_as_data() -> None:
    made = planned(express())
    assert json.loads(json.dumps(made.install.command)) == list(made.install.command)
    assert "24.19.0" in repr(made)


@pytest.mark.parametrize(
    ("workspaces", "folder", "same"),
    [
        (["packages/*"], "packages/b", False),
        ({"packages": ["./packages/*"]}, "packages/b", False),
        (["apps/**"], "apps/one/two", False),
        (["apps/web"], "apps/web", False),
        (["packages/*"], "packages/b/c", True),
        (["packages/*"], "packages/node_modules/b", True),
        (["packages/*"], "elsewhere", True),
        ("packages/*", "packages/b", True),
    ],
)
def test_a_new_workspace_is_installed_whether_the_lock_file_has_it_or_not(
    workspaces: Any, folder: str, same: bool
) -> None:
    before = planned(express(workspaces=workspaces)).dependencies_key
    new = express(workspaces=workspaces, files={f"{folder}/package.json": "{}"})
    assert (planned(new).dependencies_key == before) is same
