"""The web server itself: that of the stack which instances have, asked over a Unix socket."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from buildpacks import static
from buildpacks.plan import Site
from paas.node.images import stacks
from paas.settings import load
from tests.acceptance.installation import until

_PARTS = (
    *("usr/sbin/nginx", "usr/lib/nginx/modules/*", "usr/lib/*/libpcre2-8.*", "usr/lib/*/libz.*"),
    *("usr/lib/*/libssl.*", "usr/lib/*/libcrypto.*", "usr/lib/*/libcrypt.*"),
)


@dataclass(frozen=True)
class Served:
    """A site that is served."""

    socket: Path
    configuration: static.Configuration

    def get(self, path: str, **headers: str) -> httpx.Response:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        transport = httpx.HTTPTransport(uds=str(self.socket))
        with httpx.Client(transport=transport, timeout=10) as client:
            return client.get(f"http://site.test{path}", headers=fields)


Serve = Callable[..., Served]


@pytest.fixture(scope="session")
def userland(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nginx and its libraries, out of the stack's file."""
    found = stacks.stack(load().cache, "run").file
    if not found.exists():
        pytest.skip("no stack is made: script/bootstrap")
    folder = tmp_path_factory.mktemp("stack")
    command = ["tar", "-C", str(folder), "-xf", str(found), "--wildcards", *_PARTS]
    subprocess.run(command, check=True, timeout=60)
    return folder


@pytest.fixture
def serve(userland: Path, tmp_path: Path) -> Iterator[Serve]:
    """`serve(files, site)` writes the files, looks at them as a build does, and serves them."""
    running: list[subprocess.Popen[bytes]] = []

    def start(files: Mapping[str, str | bytes], site: Site | None = None) -> Served:
        folder = tmp_path / f"site{len(running)}"
        app, run = folder / "app", folder / "run"
        run.mkdir(parents=True)
        write(app, files)
        site = site or Site("HTML", ("",), "index.html")
        seen = look(app, site)
        assert seen.folder is not None, seen
        made = static.configuration(site, seen)
        process = launch(userland, app, run, made.text)
        running.append(process)
        until(
            lambda: (run / "socket").exists() or process.poll() is not None,
            10,
            lambda: (run / "errors").read_text(),
        )
        assert process.poll() is None, (run / "errors").read_text()
        return Served(run / "socket", made)

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str) and content.startswith("-> "):
            file.symlink_to(content.removeprefix("-> "))
        else:
            file.write_bytes(content.encode() if isinstance(content, str) else content)


def look(app: Path, site: Site) -> static.Seen:
    """As the build does in its zone; without brotli it only compresses less."""
    command = ["sh", "-c", static.LOOK, "sh", *site.folders]
    done = subprocess.run(command, cwd=app, capture_output=True, text=True, timeout=60)
    return static.read(done.stdout.splitlines())


def launch(userland: Path, app: Path, run: Path, text: str) -> subprocess.Popen[bytes]:
    here = text.replace("/tmp/", f"{run}/").replace('root "/app', f'root "{app}')
    here = here.replace("/usr/lib/nginx", f"{userland}/usr/lib/nginx")
    user = "user root;\n" if os.geteuid() == 0 else ""
    (run / "nginx.conf").write_text(user + here)
    (run / "listen.conf").write_text(f"listen unix:{run}/socket;")
    program = userland / "usr/sbin/nginx"
    libraries = ":".join(str(path) for path in (userland / "usr/lib").iterdir() if path.is_dir())
    with (run / "errors").open("wb") as errors:
        return subprocess.Popen(
            [program, "-p", run, "-e", "stderr", "-c", run / "nginx.conf"],
            env={"LD_LIBRARY_PATH": libraries},
            stderr=errors,
        )
