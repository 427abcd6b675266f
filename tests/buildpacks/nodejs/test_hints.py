"""Hints do what they say: each is run as it stands, by git and npm, and then the plan fits."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

from buildpacks.findings import Refused
from buildpacks.nodejs import plan
from buildpacks.nodejs.failures import classify
from buildpacks.nodejs.versions import Offer
from buildpacks.plan import Plan
from paas.builder.source import CommitTree
from tests import npm_commands

pytestmark = pytest.mark.timeout(600)
OFFER = Offer(["24.19.0"], ["24.19.0"], date(2026, 11, 22))
MS = {"dependencies": {"ms": "2.1.3"}}


class Work:
    """A developer's working copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self.environment = npm_commands.environment(folder / "bin")
        self.run("git init --quiet --initial-branch=main")
        self.write(".gitignore", "node_modules\n")

    def run(self, command: str) -> str:
        return npm_commands.run(command, self.folder, self.environment, 300)

    def write(self, path: str, content: str | bytes) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def package(self, **fields: object) -> None:
        self.write("package.json", json.dumps({"name": "app", "version": "1.0.0", **fields}))

    def needs(self, *names: str) -> dict[str, str]:
        """Dependencies of these names that are in the tree: nothing large is fetched."""
        for name in names:
            package = {"name": name, "version": "3.99.0", "bin": {name.split("/")[-1]: "x.js"}}
            self.write(f"fake/{name}/package.json", json.dumps(package))
            self.write(f"fake/{name}/x.js", "#!/usr/bin/env node\n")
        return {name: f"file:fake/{name}" for name in names}

    def lock(self) -> None:
        self.run("npm install --package-lock-only --ignore-scripts")

    def commit(self) -> None:
        self.run("git add --all && git commit --quiet --allow-empty -m Change")

    def plan(self, folder: str = "") -> Plan:
        """Of what is committed: a hint that forgets to commit does not count."""
        head = self.run("git rev-parse HEAD").strip()
        tree = CommitTree(self.folder / ".git", head)
        return plan(tree, folder=folder, offer=OFFER, architecture="x64")

    def refused(self) -> tuple[str, str, str]:
        self.commit()
        with pytest.raises(Refused) as raised:
            self.plan()
        failure = raised.value.failure
        return failure.id, failure.message, failure.hint

    def follow(self, hint: str) -> Plan:
        """Run the first line of a hint, from its first command on."""
        command = re.sub(r"^[A-Z][^`]*?: (?=[a-z])", "", hint.splitlines()[0])
        self.run(command)
        return self.plan()


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def utf16(text: str) -> bytes:
    """As PowerShell's `>` writes it."""
    return ("\ufeff" + text.replace("\n", "\r\n")).encode("utf-16-le")


@pytest.mark.parametrize("path", ["package.json", "package-lock.json"])
def test_a_file_of_npms_in_utf16_becomes_utf8(work: Work, path: str) -> None:
    work.package(scripts={"start": "node ."}, **MS)
    work.lock()
    work.write(path, utf16((work.folder / path).read_text()))
    id_, message, hint = work.refused()
    assert (id_, message.split(" is ")[0]) == ("utf16", path)
    assert work.follow(hint).processes["web"].argv == ("node", ".")


def test_a_procfile_in_utf16_is_read(work: Work) -> None:
    work.package()
    work.write("Procfile", utf16("web: node a.js\nworker: node b.js\n"))
    work.commit()
    commands = {name: process.argv for name, process in work.plan().processes.items()}
    assert commands == {"web": ("node", "a.js"), "worker": ("node", "b.js")}


@pytest.mark.parametrize(
    ("path", "shebang", "command"),
    [
        ("bin/www", "#!/usr/bin/env node", "./bin/www"),
        ("start.sh", "#!/bin/sh", "./start.sh"),
        ("start.sh", "#!/bin/sh", "sh start.sh"),
        ("start.sh", "#!/bin/sh", "NODE_ENV=production ./start.sh --fast"),
    ],
)
def test_a_script_with_line_ends_of_windows_gets_those_of_linux(
    work: Work, path: str, shebang: str, command: str
) -> None:
    work.package(scripts={"start": command})
    work.write(path, f"{shebang}\r\ntrue\r\n")
    (work.folder / path).chmod(0o755)
    id_, message, hint = work.refused()
    assert id_ == "crlf_script"
    assert path in message
    work.follow(hint)
    assert work.run(f"git show HEAD:{path}") == f"{shebang}\ntrue\n"


def test_a_script_without_its_execute_bit_gets_it(work: Work) -> None:
    work.package(scripts={"start": "npm run web", "web": "./bin/my-www"})
    work.write("bin/my-www", "#!/usr/bin/env node\n")
    id_, message, hint = work.refused()
    assert (id_, "bin/my-www" in message) == ("not_executable", True)
    work.follow(hint)
    assert work.run("git ls-tree HEAD bin/my-www").startswith("100755")


def test_a_build_that_sets_the_execute_bit_is_believed(work: Work) -> None:
    work.package(scripts={"start": "./start.sh", "build": "chmod +x start.sh"})
    work.write("start.sh", "#!/bin/sh\n")
    work.commit()
    assert work.plan().processes["web"].argv == ("./start.sh",)


SVELTEKIT = {"svelte.config.js": "import adapter from '@sveltejs/adapter-vercel';\n"}


def test_an_adapter_of_another_platform_is_replaced(work: Work) -> None:
    work.package(dependencies=work.needs("@sveltejs/kit", "@sveltejs/adapter-vercel", "vite"))
    for path, content in SVELTEKIT.items():
        work.write(path, content)
    work.lock()
    id_, _, hint = work.refused()
    assert id_ == "no_start_command"
    made = work.follow(hint)
    assert made.processes["web"].argv == ("node", "build")
    assert not [n for n in made.notices if n.id in ("development_server", "start_guessed")]
    assert "adapter-node" in work.run("git show HEAD:svelte.config.js")


@pytest.mark.parametrize(
    ("dependencies", "start"),
    [(["nuxt"], "node .output/server/index.mjs"), (["next"], "next start")],
)
def test_a_server_that_is_guessed_can_be_named_as_the_notice_says(
    work: Work, dependencies: list[str], start: str
) -> None:
    work.package(dependencies=work.needs(*dependencies), scripts={"build": "true"})
    work.lock()
    work.commit()
    (notice,) = [notice for notice in work.plan().notices if notice.id == "start_guessed"]
    assert start in notice.message
    made = work.follow(notice.hint)
    assert " ".join(made.processes["web"].argv) == start
    assert not [notice for notice in made.notices if notice.id == "start_guessed"]


def test_a_procfile_with_a_development_server_is_told_how_its_site_is_served(work: Work) -> None:
    work.package(dependencies=work.needs("vite"), scripts={"build": "vite build"})
    work.write("Procfile", "web: npx vite\n")
    work.lock()
    work.commit()
    (notice,) = [n for n in work.plan().notices if n.id == "development_server"]
    made = work.follow(notice.hint)
    assert made.site is not None
    assert not [n for n in made.notices if n.id == "development_server"]


def test_workspaces_are_told_how_the_one_that_has_a_start_script_is_deployed(work: Work) -> None:
    work.package(workspaces=["packages/*"])
    work.write("packages/lib/package.json", '{"name": "@x/lib", "version": "1.0.0"}')
    started = {"name": "@x/api", "version": "1.0.0", "scripts": {"start": "node main.js"}}
    work.write("packages/api/package.json", json.dumps(started))
    work.lock()
    id_, _, hint = work.refused()
    assert id_ == "no_start_command"
    set_root = hint.partition("push again: ")[2].split()
    assert set_root[:3] == ["paas", "apps:set", "--root"]
    assert work.plan(set_root[3]).processes["web"].argv == ("node", "main.js")


@pytest.mark.parametrize(
    ("executor", "options", "served"),
    [
        ("@nx/esbuild:esbuild", {"platform": "node", "main": "apps/shop/src/main.ts"}, "node"),
        ("@nx/vite:build", {}, "nginx"),
    ],
)
def test_an_application_of_nx_is_deployed_as_the_hint_says(
    work: Work, executor: str, options: dict[str, str], served: str
) -> None:
    work.package(dependencies=work.needs("express"), devDependencies=work.needs("nx", "vite"))
    work.write("nx.json", "{}")
    build = {"executor": executor, "options": {"outputPath": "dist/apps/shop", **options}}
    project = {"name": "shop", "projectType": "application", "targets": {"build": build}}
    work.write("apps/shop/project.json", json.dumps(project))
    work.write("libs/ui/project.json", '{"name": "ui", "projectType": "library"}')
    work.lock()
    id_, _, hint = work.refused()
    assert id_ == "no_start_command"
    made = work.follow(hint)
    assert made.build.command == ("npm", "run", "build")
    if served == "node":
        assert made.processes["web"].argv == ("node", "dist/apps/shop/main.js")
    else:
        assert made.site is not None
        assert made.site.folders == ("dist/apps/shop",)


def test_of_several_workspaces_that_start_all_are_named(work: Work) -> None:
    work.package(workspaces={"packages": ["a", "b", "no such", "$(id)"]})
    for name in ("a", "b"):
        package = {"name": name, "version": "1.0.0", "scripts": {"start": "node ."}}
        work.write(f"{name}/package.json", json.dumps(package))
    work.lock()
    assert "paas apps:set --root <one of a, b>" in work.refused()[2]


def test_who_wants_a_package_that_no_registry_has_is_found_as_the_hint_says(work: Work) -> None:
    entry = {"version": "8.3.4", "optionalDependencies": {"of-windows": "^0.1.0"}}
    work.write("package-lock.json", json.dumps({"packages": {"node_modules/vite": entry}}))
    said = "npm error `npm ci` can only install\nnpm error Missing: of-windows@ from lock file\n"
    failure = classify("install", 1, said)
    command = failure.hint.split("says: ")[1].split("\n")[0]
    assert "node_modules/vite 8.3.4" in work.run(command)


@pytest.mark.parametrize(
    ("scripts", "dev", "web"),
    [
        ({"start": "npm run build && node dist/main", "build": "tsc", "prod": "node dist/main"},
         "tsc", ("node", "dist/main")),
    ],
)  # fmt: skip
def test_a_start_script_of_a_dev_dependency_is_refused_for_the_script_beside_it(
    work: Work, scripts: dict[str, str], dev: str, web: tuple[str, ...]
) -> None:
    work.package(scripts=scripts, devDependencies=work.needs(dev))
    work.lock()
    id_, message, hint = work.refused()
    assert id_ == "start_needs_dev_dependency"
    assert f"runs {dev} of {dev}" in message
    assert work.follow(hint).processes["web"].argv == web


def test_a_framework_among_the_dev_dependencies_is_kept(work: Work) -> None:
    work.package(scripts={"start": "next start"}, devDependencies=work.needs("next"))
    work.lock()
    assert work.refused()[0] == "start_needs_dev_dependency"
    assert work.follow(work.refused()[2]).processes["web"].argv == ("next", "start")


def test_a_dev_dependency_that_the_start_needs_is_kept(work: Work) -> None:
    work.package(
        scripts={"start": "cross-env A=1 node server.js"},
        devDependencies={"cross-env": "^7.0.3"},
    )
    work.lock()
    id_, message, hint = work.refused()
    assert (id_, "cross-env" in message) == ("start_needs_dev_dependency", True)
    work.follow(hint)
    assert json.loads(work.run("git show HEAD:package.json"))["dependencies"]


def merged(work: Work, style: str) -> None:
    """Two branches that each add a dependency; the merge is committed as git left it."""
    work.package(scripts={"start": "node ."}, dependencies={"ms": "2.1.3"})
    work.lock()
    work.commit()
    work.run("git checkout --quiet -b other && npm install --package-lock-only depd@2.0.0")
    work.commit()
    work.run("git checkout --quiet main && npm install --package-lock-only vary@1.1.2")
    work.commit()
    work.run(f"git -c merge.conflictStyle={style} merge other || true")
    work.commit()


@pytest.mark.parametrize("style", ["merge", "diff3"])
def test_the_conflicts_of_a_merge_are_resolved_as_the_hints_say(work: Work, style: str) -> None:
    merged(work, style)
    with pytest.raises(Refused) as raised:
        work.plan()
    package, lock = raised.value.failures
    assert (package.id, lock.id) == ("merge_conflict", "merge_conflict")
    assert "package.json, line " in package.message
    assert "package-lock.json, line " in lock.message
    with pytest.raises(Refused):
        work.follow(package.hint)
    assert work.follow(lock.hint).processes["web"].argv == ("node", ".")
    assert '"vary"' in work.run("git show HEAD:package.json")


def test_two_lock_files_an_unknown_version_and_no_start_are_mended_as_one_answer_says(
    work: Work,
) -> None:
    work.package(engines={"node": "99.x"}, **MS)
    work.write("yarn.lock", "# yarn lockfile v1\n")
    work.write("app.js", "")
    work.lock()
    work.commit()
    with pytest.raises(Refused) as raised:
        work.plan()
    locks, engine, start = raised.value.failures
    kept = next(line for line in locks.hint.splitlines() if "(package-lock" in line)
    work.run(kept.split(":  ")[1])
    found = re.search(r'"\w+": \{.*\}', engine.hint)
    assert found, raised.value.failures
    package = json.loads((work.folder / "package.json").read_text())
    work.write("package.json", json.dumps(package | json.loads("{" + found[0] + "}")))
    work.run(start.hint)
    work.commit()
    assert work.plan().processes["web"].argv == ("node", "app.js")


@pytest.mark.parametrize("name", ["procfile", "Procfile.txt"])
def test_a_procfile_of_another_name_is_given_its_own(work: Work, name: str) -> None:
    work.package()
    work.write(name, "web: node app.js\n")
    work.write("app.js", "")
    work.commit()
    with pytest.raises(Refused) as raised:
        work.plan()
    work.run(raised.value.failures[0].hint.partition(": ")[2])
    assert work.plan().processes["web"].argv == ("node", "app.js")


def test_the_only_script_of_src_is_named_as_the_one_to_start(work: Work) -> None:
    work.package(scripts={"dev": "node src/app.js"})
    work.write("src/app.js", "")
    work.commit()
    with pytest.raises(Refused) as raised:
        work.plan()
    work.run(raised.value.failures[0].hint)
    assert work.plan().processes["web"].argv == ("node", "src/app.js")


def test_a_script_beside_a_dockerfile_needs_a_package_json(work: Work) -> None:
    work.write("Dockerfile", "FROM node:24\n")
    work.write("server.js", "")
    work.commit()
    with pytest.raises(Refused) as raised:
        work.plan()
    assert "(Dockerfile does nothing here)" in raised.value.failures[0].message
    work.run(raised.value.failures[0].hint)
    assert work.plan().processes["web"].argv[-1] in ("server.js", "start")


def test_a_commit_without_files_is_told_so(work: Work) -> None:
    (work.folder / ".gitignore").unlink()
    work.commit()
    with pytest.raises(Refused) as raised:
        work.plan()
    assert raised.value.failures[0].message == "the commit has no files"
