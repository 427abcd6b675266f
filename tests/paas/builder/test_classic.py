"""Other people's buildpacks, of Heroku's classic interface, built and run in real zones."""

import asyncio
import dataclasses
import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.builder import BuildFailed
from paas.builder.classic import keeping
from tests.git_over_http import GitHost, outside
from tests.paas.builder.apps import App
from tests.paas.builder.managers import SERVER
from tests.paas.node.conftest import RunningNode

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]

GREETING = {
    "bin/detect": '#!/usr/bin/env bash\n[ -f "$1/greeting.txt" ] && echo Greeting\n',
    "bin/compile": """#!/usr/bin/env bash
set -euo pipefail
build=$1 cache=$2 env=$3
echo "-----> Greeting on $STACK"
node --version >/dev/null
[ "$(echo '{"a": "b"}' | jq -r .a)" = b ]
count=$(( $(cat "$cache/count" 2>/dev/null || echo 0) + 1 ))
echo "$count" > "$cache/count"
echo "       built $count times, NAME is $(cat "$env/NAME" 2>/dev/null || echo unset)"
[ -z "${NAME:-}" ] || { echo "config vars are no variables"; exit 1; }
mkdir -p "$build/.profile.d" "$build/vendor/greeting/bin"
printf '#!/bin/sh\\necho hello from $GREETED\\n' > "$build/vendor/greeting/bin/greet"
chmod +x "$build/vendor/greeting/bin/greet"
cat > "$build/.profile.d/greeting.sh" <<'END'
export PATH="$HOME/vendor/greeting/bin:$PATH" GREETED="$GREETING_FOR by $(greet_name)"
END
echo 'greet_name() { echo greeting; }' > "$build/.profile.d/a-function.sh"
buildpack=$(cd "$(dirname "$0")/.." && pwd)
echo "export PATH=$build/vendor/greeting/bin:\\$PATH GREETED=everybody" > "$buildpack/export"
echo 'export BROKEN="' >> "$buildpack/export"
""",
    "bin/release": """#!/bin/sh
cat <<END
---
addons:
  - heroku-postgresql
config_vars: {}
default_process_types:
  web: node vendor/server.js
  other: "sleep 1000"
END
""",
}
PLAIN = {
    "bin/detect": '#!/bin/sh\n[ -f "$1/app.js" ] && echo Plain\n',
    "bin/compile": '#!/bin/sh\necho "$GREETED" > "$1/seen"; greet > "$1/greeted"\n',
    "bin/release": "#!/bin/sh\necho 'default_process_types: {web: node app.js}'\n",
}
NODE = SERVER % "require('child_process').execSync('greet').toString()"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    with outside(tmp_path_factory.mktemp("host") / "git") as found:
        yield found


def new(node: RunningNode, folder: Path, *buildpacks: str) -> App:
    app = App(node, folder)
    # Addresses without TLS.
    app.settings = dataclasses.replace(app.settings, fetch_from_private_addresses=True)
    app.buildpacks = buildpacks
    return app


def follow(hint: str, folder: Path) -> None:
    """The command that changes files."""
    command = hint.partition(": ")[2].partition(" && ")[0]
    subprocess.run(["sh", "-c", command], cwd=folder, check=True, timeout=30)


def test_a_buildpack_before_ours_and_its_cache_export_and_profile(
    running_node: RunningNode, folder: Path, host: GitHost
) -> None:
    async def story() -> None:
        commit = host.commit("greeting", GREETING)
        app = new(running_node, folder, host.url("greeting"), "heroku/nodejs")
        app.repository.write("greeting.txt", "hello")
        package = '{"scripts": {"start": "node server.js", "build": "greet > built"}}'
        app.repository.write("package.json", package)
        app.repository.write("server.js", NODE)
        config = {"NAME": "Ada", "GREETING_FOR": "Ada"}
        await app.build(config)
        assert f"1. {host.url('greeting')}\n       2. heroku/nodejs\n" in app.output
        assert f"       commit {commit}\n" in app.output
        assert "-----> Greeting app detected\n" in app.output
        assert "-----> Greeting on heroku-2" in app.output
        assert "       built 1 times, NAME is Ada\n" in app.output
        assert "its addons does nothing here" in app.output
        assert app.built and app.built.processes == {
            "web": "npm start",
            "other": "sleep 1000",
        }
        # What it exports is there for our steps, but not what its profile makes of instances.
        assert await app.text("built") == "hello from everybody\n"
        app.built.commands["web"]["environment"]["GREETING_FOR"] = "Ada"
        assert await app.get() == "hello from Ada by greeting\n"
        assert not [name for name in await app.files("/tmp") if "buildpack" in name]
        assert await app.left() == []

        app.repository.write("other.txt", "x")
        await app.build(config)
        assert "       built 2 times" in app.output
        await app.build(config, from_nothing=True)
        assert "       built 1 times" in app.output

        app.buildpacks = ()
        app.repository.replace("package.json", "greet > built", "true")
        await app.build(config)
        assert not [name for name in await app.files() if "profile.d" in name]
        assert not list((app.settings.control_state / "buildpacks" / app.id).iterdir())

    asyncio.run(story())


def test_others_alone_one_after_the_other(
    running_node: RunningNode, folder: Path, host: GitHost
) -> None:
    async def story() -> None:
        host.commit("greeting", GREETING)
        app = new(running_node, folder, host.url("greeting"), "./tools/plain")
        for path, text in PLAIN.items():
            app.repository.write(f"tools/plain/{path}", text)
            (app.repository.work / "tools/plain" / path).chmod(0o755)
        app.repository.write("greeting.txt", "hello")
        app.repository.write("app.js", SERVER % "process.env.GREETED + process.env.HOME")
        built = await app.build()
        assert built.processes == {"web": "node app.js", "other": "sleep 1000"}
        assert built.commands["web"]["runtime"] == "Plain"
        assert "rehearsal" not in app.ms
        assert await app.get() == " by greeting/app"
        assert await app.text("seen") == "everybody\n"
        assert await app.text("greeted") == "hello from everybody\n"

        # The Procfile goes over both, also one that a buildpack writes.
        app.repository.write("Procfile", "other: sleep 5\n")
        assert (await app.build()).processes["other"] == "sleep 5"
        compile_ = PLAIN["bin/compile"] + "echo 'worker: sleep 7' > \"$1/Procfile\"\n"
        app.repository.write("tools/plain/bin/compile", compile_)
        built = await app.build()
        assert built.processes["worker"] == "sleep 7"
        assert built.processes["other"] == "sleep 1000"

        app.repository.remove("app.js")
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.message == "App not compatible with buildpack: ./tools/plain"

        app.repository.write("app.js", "")
        app.repository.write("tools/plain/bin/compile", "#!/bin/sh\r\necho no; exit 7\r\n")
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert "bin/compile of the buildpack ./tools/plain can't be run" in raised.value.message
        # As the hint says.
        follow(raised.value.hint, app.repository.work / "tools/plain")
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.message == "Push rejected, failed to compile Plain app."
        assert "\nno\n" in app.output

    asyncio.run(story())


def test_a_source_that_cannot_be_reached_is_the_one_fetched_last(
    running_node: RunningNode, folder: Path, host: GitHost
) -> None:
    async def story() -> None:
        first = host.commit("private", GREETING)
        host.commit("private", {"bin/compile": "#!/bin/sh\nexit 9\n"}, branch="broken")
        host.login = "ada:s3cr3t"
        url = host.url("private").replace("://", "://ada:s3cr3t@")
        app = new(running_node, folder, f"{url}#main")
        app.repository.write("greeting.txt", "hello")
        await app.build()
        assert f"commit {first} (main)" in app.output
        assert "s3cr3t" not in app.output

        host.is_down = True
        await app.build()
        assert "Note: it can't be fetched now" in app.output
        assert f"What was fetched last is used: commit {first} (main)" in app.output
        assert "built 2 times" in app.output and "s3cr3t" not in app.output

        app.buildpacks = (f"{url}#{first}",)
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == "buildpack_unreachable" and "s3cr3t" not in str(raised.value)
        host.is_down = False
        await app.build()
        assert f"commit {first} ({first})" in app.output and "built 1 times" in app.output
        host.login = ""

    asyncio.run(story())


def test_what_the_platform_does_itself_is_only_named(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        apt = "https://github.com/heroku/heroku-buildpack-apt"
        app = new(running_node, folder, apt, "heroku/nodejs")
        app.repository.write("package.json", '{"scripts": {"start": "node server.js"}}')
        app.repository.write("server.js", SERVER % "'hello'")
        await app.build()
        assert "       The platform itself brings the packages of the Aptfile\n" in app.output
        app.repository.write("server.js", SERVER % "'again'")
        await app.build()
        assert "zone" not in app.ms
        assert await app.get() == "again"

        app.buildpacks = (apt,)
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == "no_start_command"
        # As the hint says.
        app.repository.write("Procfile", "web: node server.js\n")
        await app.build()
        assert await app.get() == "again"

    asyncio.run(story())


def test_an_archive_and_what_is_no_buildpack(
    running_node: RunningNode, folder: Path, host: GitHost
) -> None:
    async def story() -> None:
        with tarfile.open(host.folder / "greeting.tgz", "w:gz") as tar:
            for path, text in GREETING.items():
                member = tarfile.TarInfo(f"greeting-1.0/{path}")
                member.size, member.mode = len(text.encode()), 0o755
                tar.addfile(member, io.BytesIO(text.encode()))
        app = new(running_node, folder, f"{host.address}/greeting.tgz")
        app.repository.write("greeting.txt", "hello")
        await app.build()
        assert "       SHA256:" in app.output and "built 1 times" in app.output

        host.commit("native", {"bin/build": "", "bin/detect": "", "buildpack.toml": ""})
        app.buildpacks = (host.url("native"),)
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert "Cloud Native Buildpack" in raised.value.message

        host.commit("mover", {**GREETING, "bin/compile": '#!/bin/sh\ncp -r "$1/web/." "$1"\n'})
        app.buildpacks = (host.url("mover"), "heroku/nodejs")
        app.repository.write("package.json", '{"scripts": {"start": "node server.js"}}')
        app.repository.write("server.js", SERVER % "'top'")
        app.repository.write("web/package.json", '{"scripts": {"start": "node other.js"}}')
        app.repository.write("web/other.js", SERVER % "'moved'")
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert raised.value.id == "buildpack_changed_package"
        # As the hint says.
        app.buildpacks, app.root = (), "web"
        await app.build()
        assert await app.get() == "moved"

    asyncio.run(story())


def test_a_cache_that_is_too_large_is_not_kept(
    running_node: RunningNode, folder: Path, host: GitHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        monkeypatch.setattr(keeping, "CACHE_BYTES_MAX", 1 << 20)
        large = 'head -c 2000000 /dev/urandom > "$2/large"; echo x > "$2/count"'
        host.commit("large", {**GREETING, "bin/compile": f"#!/bin/sh\n{large}\n"})
        app = new(running_node, folder, host.url("large"))
        app.repository.write("greeting.txt", "hello")
        await app.build()
        assert "its cache is not kept: it is over 1 MiB" in app.output
        names = [
            path.name for path in (app.settings.control_state / "buildpacks" / app.id).iterdir()
        ]
        assert [name for name in names if "source" in name] == names

    asyncio.run(story())
