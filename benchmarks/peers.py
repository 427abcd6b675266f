"""The peers of a machine, each on the same root file system: runc, Docker and LXD.

Daemons are started here, in a mount namespace and folders of their own, and stopped at the end;
those of the host are neither used nor disturbed. Docker and LXD get a bridge each and set no rule
of the firewall, which is less work than they do by default. What is not installed is skipped.
"""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from own_node import PORT, TIMEOUT_S, OwnNode

Address = tuple[str, int]
USER = 1000
ENVIRONMENT = ("PATH=/opt/node/bin:/usr/bin:/bin", f"PORT={PORT}", "NODE_ENV=production")
COMMAND = ("/opt/node/bin/node", "/app/server.js")
_MEMORY = "512m"
REMOVALS_MAX = 10


@dataclass(frozen=True)
class Peer:
    """`create` starts a named container; what it returns says, asked later, where it answers."""

    name: str
    create: Callable[[str], Callable[[], Address]]
    delete: Callable[[str], None]
    platform: Callable[[], list[int]] = field(default=lambda: [])
    """The peer's own processes that run now: daemons, shims."""
    first_process: Callable[[str], int] = field(default=lambda name: 0)
    list: Callable[[], object] = field(default=lambda: None)
    """Its command that lists the containers."""


def available(
    root: Path, folder: Path, only: Sequence[str], stack: contextlib.ExitStack
) -> list[Peer]:
    """The peers that are installed, started; the others are named with how to install them."""
    makers = {"runc": _runc, "docker": _docker, "lxd": _lxd}
    programs = {"runc": ("runc",), "docker": ("dockerd", "docker"), "lxd": ("lxd", "lxc")}
    packages = {"runc": "runc", "docker": "docker.io", "lxd": "lxd"}
    peers = []
    for name in only:
        if all(shutil.which(program) for program in programs[name]):
            own = folder / name
            own.mkdir(mode=0o711)
            peers.append(stack.enter_context(makers[name](root, own)))
        else:
            print(f"{name} is not installed and is skipped: apt install {packages[name]}")
    return peers


def make_root(node: OwnNode, folder: Path) -> Path:
    """A whole userland with the files of our zone: its image, stack and runtime in one folder."""
    root, pool = folder / "root", node.settings.pool_mount
    _run("cp", "-a", str(pool / node.app / "root"), str(root))
    for image, place in ((node.stack, "usr"), (node.runtime, "opt/node")):
        _run("cp", "-a", "-T", str(pool / image / "root" / place), str(root / place))
    return root


@contextlib.contextmanager
def _runc(root: Path, folder: Path) -> Iterator[Peer]:
    """The floor: no image, no clone, one root for all, the host's network, nobody who watches."""
    runtime = ("runc", "--root", str(folder / "state"))
    ports: dict[str, int] = {}

    def create(name: str) -> Callable[[], Address]:
        bundle = folder / name
        bundle.mkdir()
        ports[name] = 20000 + len(ports) % 10000
        _write_specification(bundle, root, ports[name])
        _run(*runtime, "run", "--detach", "--bundle", str(bundle), name)
        return lambda: ("127.0.0.1", ports[name])

    def delete(name: str) -> None:
        _run(*runtime, "delete", "--force", name)
        shutil.rmtree(folder / name)

    yield Peer("runc run", create, delete)


def _write_specification(bundle: Path, root: Path, port: int) -> None:
    _run("runc", "spec", "--bundle", str(bundle))
    path = bundle / "config.json"
    specification = json.loads(path.read_text())
    specification["root"] = {"path": str(root), "readonly": False}
    environment = [item for item in ENVIRONMENT if not item.startswith("PORT=")]
    specification["process"] |= {
        "terminal": False, "args": list(COMMAND), "cwd": "/app",
        "env": [*environment, f"PORT={port}"], "user": {"uid": USER, "gid": USER},
    }  # fmt: skip
    namespaces = specification["linux"]["namespaces"]
    specification["linux"]["namespaces"] = [ns for ns in namespaces if ns["type"] != "network"]
    specification["linux"]["resources"]["memory"] = {"limit": 512 * 2**20}
    path.write_text(json.dumps(specification))


@contextlib.contextmanager
def _docker(root: Path, folder: Path) -> Iterator[Peer]:
    environment = {
        **os.environ,
        "DOCKER_HOST": f"unix://{folder}/docker.sock",
        "DOCKER_CONFIG": str(folder / "client"),
    }
    group = f"/{folder.parent.name}-docker"
    key = Path("/etc/docker/key.json")
    with _leaving_nothing(key, group), _bridge("k") as (bridge, _):
        argv = [
            "dockerd", "--host", environment["DOCKER_HOST"], "--data-root", str(folder / "data"),
            "--exec-root", str(folder / "exec"), "--pidfile", str(folder / "pid"),
            "--bridge", bridge, "--iptables=false", "--ip6tables=false", "--ip-forward=false",
            "--ip-masq=false", "--userland-proxy=false", "--cgroup-parent", group,
            "--log-level", "error",
        ]  # fmt: skip
        ready = ["docker", "info"]
        with _daemon(argv, environment, folder, lambda: _works(ready, environment)) as daemon:
            with _tar(root) as archive:
                _run("docker", "import", "-", "express", env=environment, stdin=archive)
            try:
                yield _docker_peer(environment, daemon, folder)
            finally:
                _remove_all(["docker", "ps", "-aq"], ["docker", "rm", "--force"], environment)


def _docker_peer(environment: Mapping[str, str], daemon: int, folder: Path) -> Peer:
    def create(name: str) -> Callable[[], Address]:
        words = [word for item in ENVIRONMENT for word in ("--env", item)]
        _run(
            "docker", "run", "--detach", "--name", name, *words, "--workdir", "/app",
            "--user", str(USER), "--memory", _MEMORY, "express", *COMMAND, env=environment,
        )  # fmt: skip
        where = "{{.NetworkSettings.IPAddress}}"
        return lambda: (_run("docker", "inspect", "-f", where, name, env=environment), PORT)

    def delete(name: str) -> None:
        _run("docker", "rm", "--force", name, env=environment)

    def first_process(name: str) -> int:
        return int(_run("docker", "inspect", "-f", "{{.State.Pid}}", name, env=environment))

    def platform() -> list[int]:
        # The shims are nobody's children, but name the daemon's folder.
        return sorted({*descendants(daemon), *mentioning(str(folder))})

    def listing() -> str:
        return _run("docker", "ps", env=environment)

    return Peer("docker run", create, delete, platform, first_process, listing)


@contextlib.contextmanager
def _lxd(root: Path, folder: Path) -> Iterator[Peer]:
    environment = {**os.environ, "LXD_DIR": str(folder), "LXD_CONF": str(folder / "client")}
    (folder / "client").mkdir()
    with _leaving_nothing(Path("/run/lxc"), "lxc.pivot"), _bridge("l") as (bridge, subnet):
        argv = ["lxd", "--group", "root", "--logfile", str(folder / "log")]
        ready = ["lxd", "waitready", "--timeout", "5"]
        with _daemon(argv, environment, folder, lambda: _works(ready, environment)):
            preseed = _preseed(bridge)
            _run("lxd", "init", "--preseed", env=environment, input=json.dumps(preseed))
            archive = folder / "image.tar"
            _write_lxd_image(root, archive)
            _run("lxc", "image", "import", str(archive), "--alias", "express", env=environment)
            archive.unlink()
            try:
                yield _lxd_peer(environment, subnet)
            finally:
                names = ["lxc", "list", "--columns", "n", "--format", "csv"]
                _remove_all(names, ["lxc", "delete", "--force"], environment)


def _lxd_peer(environment: Mapping[str, str], subnet: str) -> Peer:
    numbers: dict[str, int] = {}

    def create(name: str) -> Callable[[], Address]:
        numbers[name] = number = 2 + len(numbers) % 250
        raw = _lxc_configuration(f"{subnet}.{number}")
        _run(
            "lxc", "launch", "express", name, "--config", f"raw.lxc={raw}",
            "--config", "limits.memory=512MiB", env=environment,
        )  # fmt: skip
        return lambda: (f"{subnet}.{number}", PORT)

    def delete(name: str) -> None:
        _run("lxc", "delete", "--force", name, env=environment)

    return Peer("lxc launch", create, delete)


def _lxc_configuration(address: str) -> str:
    """The app itself is the first process, as in the others: no init system of a distribution."""
    lines = [
        f"lxc.init.cmd = {' '.join(COMMAND)}", "lxc.init.cwd = /app",
        f"lxc.init.uid = {USER}", f"lxc.init.gid = {USER}",
        f"lxc.net.0.ipv4.address = {address}/24",
        *(f"lxc.environment = {item}" for item in ENVIRONMENT),
    ]  # fmt: skip
    return "\n".join(lines)


def _preseed(bridge: str) -> dict[str, object]:
    root = {"type": "disk", "path": "/", "pool": "default"}
    eth0 = {"type": "nic", "nictype": "bridged", "parent": bridge, "name": "eth0"}
    return {
        "config": {"images.auto_update_interval": "0"},
        "storage_pools": [{"name": "default", "driver": "btrfs", "config": {"size": "5GiB"}}],
        "profiles": [{"name": "default", "devices": {"root": root, "eth0": eth0}}],
    }


def _write_lxd_image(root: Path, archive: Path) -> None:
    metadata = archive.with_name("metadata.yaml")
    machine = os.uname().machine
    metadata.write_text(json.dumps({"architecture": machine, "creation_date": int(time.time())}))
    with tarfile.open(archive, "w") as file:
        file.add(metadata, "metadata.yaml")
    words = ("--numeric-owner", "--transform", "s,^\\.,rootfs,S", "-C", str(root), ".")
    _run("tar", "--append", "--file", str(archive), *words)


@contextlib.contextmanager
def _daemon(
    argv: Sequence[str], environment: Mapping[str, str], folder: Path, ready: Callable[[], bool]
) -> Iterator[int]:
    """The daemon's pid. It mounts in a namespace of its own: nothing of it is ever seen outside."""
    own = ("unshare", "--mount", "--propagation", "private", "--")
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [*own, *argv], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{argv[0]} did not start:\n{(folder / 'output').read_text()[-2000:]}")
            time.sleep(0.1)
        yield process.pid
    finally:
        started = {*descendants(process.pid), *mentioning(str(folder))}
        process.terminate()
        try:
            process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(TIMEOUT_S)
        _end(started)


def _end(pids: Iterable[int]) -> None:
    """What a daemon leaves behind when it goes: it means to find it again, we do not."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)


@contextlib.contextmanager
def _bridge(letter: str) -> Iterator[tuple[str, str]]:
    """A bridge with the first address of a subnet: its name, the subnet's first three numbers."""
    name, subnet = f"bn{letter}{secrets.token_hex(3)}", f"10.{208 + ord(letter) % 16}.250"
    _run("ip", "link", "add", name, "type", "bridge")
    try:
        _run("ip", "address", "add", f"{subnet}.1/24", "dev", name)
        _run("ip", "link", "set", name, "up")
        yield name, subnet
    finally:
        _run("ip", "link", "delete", name)


def _remove_all(
    listing: Sequence[str], removing: Sequence[str], environment: Mapping[str, str]
) -> None:
    """What is left of the containers when the benchmark was broken off."""
    for _ in range(REMOVALS_MAX):
        names = _run(*listing, env=environment).split()
        if not names:
            return
        for name in names:
            # One that was just being started or stopped is refused now, and removed a second later.
            with contextlib.suppress(RuntimeError):
                _run(*removing, name, env=environment)
        time.sleep(1)


def descendants(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                found += descendants(int(child))
    return found


def mentioning(text: str) -> list[int]:
    """Processes with a word in their command line that contains the text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if text.encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
    return found


@contextlib.contextmanager
def _tar(root: Path) -> Iterator[int]:
    """The reading end of a pipe with the folder as a tar stream."""
    argv = ["tar", "-c", "--numeric-owner", "-C", str(root), "."]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        yield process.stdout.fileno()


@contextlib.contextmanager
def _leaving_nothing(path: Path, group: str) -> Iterator[None]:
    """Take away a path that a daemon makes outside its folders, if it was not there; its cgroup."""
    was_there = path.exists()
    groups = [folder / group.strip("/") for folder in Path("/sys/fs/cgroup").iterdir()]
    kept = [folder for folder in groups if folder.exists()]
    try:
        yield
    finally:
        if not was_there:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(True)
        for root in set(groups) - set(kept):
            for folder, _, _ in os.walk(root, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()


def _works(argv: Sequence[str], environment: Mapping[str, str]) -> bool:
    done = subprocess.run(
        argv, env=environment, capture_output=True, timeout=TIMEOUT_S, check=False
    )
    return done.returncode == 0


def _run(
    *argv: str,
    env: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    input: str | None = None,
) -> str:
    """The command's output. A failure ends the benchmark with the command's last words."""
    source = {"input": input.encode()} if input is not None else {"stdin": stdin}
    # Files, not pipes: a container that is started in the background may keep them open.
    with contextlib.ExitStack() as stack:
        output, errors = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        done = subprocess.run(
            argv, env=env, stdout=output, stderr=errors, timeout=TIMEOUT_S, check=False, **source
        )
        output.seek(0)
        errors.seek(0)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)} failed: {errors.read().decode()[-2000:]}")
        return str(output.read().decode()).strip()
