"""An installation of the tests' own: started as a developer's server would be, removed afterwards.

What is left behind is looked for here with other means than `paas uninstall` has: a test that asked
the product what it forgot would learn nothing.
"""

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from paas.node.client import Machine, Manifest, Node
from paas.settings import Settings
from router.wire import frames

BIN = Path(sys.prefix) / "bin"
COMMAND_TIMEOUT_S = 120.0
UP_TIMEOUT_S = 170.0
SETTLED_TIMEOUT_S = 60.0
LOOP_TIMEOUT_S = 30.0
POOL_BYTES = 6 << 30
T = TypeVar("T")


@dataclass(frozen=True)
class Finished:
    """A command that ended: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class Installation:
    """A named platform on this host. `extra` are settings (`PAAS_…`) beside name and ports."""

    settings: Settings
    home: Path
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """For the platform's own commands."""
        mine = {
            "PAAS_INSTALLATION": self.settings.installation,
            "PAAS_ROUTER_PORT": str(self.settings.router_port),
            "PAAS_CONTROL_PORT": str(self.settings.control_port),
            "PAAS_POOL_BYTES": str(POOL_BYTES),
            "LC_ALL": "C.UTF-8",
        }
        return {**os.environ, **mine, **self.extra, "PATH": f"{BIN}:{os.environ['PATH']}"}

    @property
    def developer(self) -> dict[str, str]:
        """For a developer's commands: a home without the host's git configuration and tokens."""
        plain = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "HOME": str(self.home)}
        return {**self.environment, **plain}

    def paas(
        self,
        *words: str,
        folder: Path | None = None,
        check: bool = True,
        timeout_s: float = COMMAND_TIMEOUT_S,
        environment: Mapping[str, str] | None = None,
    ) -> Finished:
        done = run(
            [str(BIN / "paas"), *words],
            environment or self.environment,
            folder=folder or self.home,
            timeout_s=timeout_s,
        )
        if check:
            assert done.status == 0, f"paas {' '.join(words)}: {done.text}\n{self.log()}"
        return done

    def json(self, *words: str) -> Any:
        return json.loads(self.paas(*words, "--json").out)

    def up(self) -> None:
        self.paas("up", "-d", timeout_s=UP_TIMEOUT_S)

    def log(self) -> str:
        """The last of what the platform's processes said, for a failure's message."""
        path = self.settings.logs / "platform.log"
        return path.read_text(errors="replace")[-6000:] if path.exists() else "(no platform.log)"

    def address(self, app: str) -> str:
        return f"http://{app}.localhost:{self.settings.router_port}"

    def machines(self) -> list[Machine]:
        return asyncio.run(Node(self.settings.node_socket).list())

    def images(self) -> list[Manifest]:
        return asyncio.run(Node(self.settings.node_socket).images())

    def machine(self, app: str, name: str = "web.1") -> Machine:
        """The machine of an app's instance that is meant to be there."""
        alias = f"{app}.{name}"
        wanted = {row[0] for row in self.query("select machine_uuid from instances")}
        found = [m for m in self.machines() if m["alias"] == alias and m["uuid"] in wanted]
        assert len(found) == 1, f"{alias}: {[m['uuid'] for m in found]}"
        return found[0]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Read the platform's database beside the platform."""
        path = self.settings.control_state / "platform.db"
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def settled(self) -> None:
        """Wait until the node has exactly the machines and images that the database wants."""
        until(lambda: not self.unsettled(), SETTLED_TIMEOUT_S, self.unsettled)

    def unsettled(self) -> str:
        """What differs between wanted and actual; empty when nothing does."""
        wanted = {row[0] for row in self.query("select machine_uuid from instances")}
        known = {machine["uuid"]: machine for machine in self.machines()}
        busy = self.query("select id from builds where status = 'pending'")
        pending = self.query("select id from releases where status = 'pending'")
        claimed = {row[0] for row in self.query("select image_uuid from releases")}
        claimed |= {row[0] for row in self.query("select image_uuid from trunks")}
        made = [i for i in self.images() if i["tags"].get("smartplatform:role") in ("trunk", "app")]
        trunks = [i for i in made if i["tags"]["smartplatform:role"] == "trunk"]
        spare = [i["uuid"] for i in made if i["uuid"] not in claimed and i not in trunks]
        # The trunk before the newest goes with the next build (paas/builder/images.py).
        counts = {t["tags"]["smartplatform:app"]: 0 for t in trunks}
        for trunk in trunks:
            counts[trunk["tags"]["smartplatform:app"]] += 1
        found = {
            "missing machines": wanted - known.keys(),
            "machines nobody wants": [m for u, m in known.items() if u not in wanted],
            "machines that do not run": [
                u for u in wanted & known.keys() if known[u]["state"] != "running"
            ],
            "images nobody claims": spare,
            "too many trunks": [app for app, count in counts.items() if count > 2],
            "builds under way": busy,
            "releases under way": pending,
        }
        return "; ".join(f"{what}: {value}" for what, value in found.items() if value)

    def pids(self, module: str) -> list[int]:
        """Processes of the platform that run a Python module: `paas.control`, `router.worker`, …"""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            words, environment = _read(folder / "cmdline"), _read(folder / "environ")
            mine = f"PAAS_INSTALLATION={self.settings.installation}".encode() in environment
            if mine and b"-m" in words and words[words.index(b"-m") + 1] == module.encode():
                found.append(int(folder.name))
        # A child that has not become another program yet looks like its parent.
        return sorted(pid for pid in found if _parent(pid) not in found)

    def pid(self, module: str) -> int:
        (found,) = self.pids(module)
        return found

    def supervisor(self) -> int:
        owner = json.loads((self.settings.run / "supervisor.json").read_text())
        return int(owner["pid"])

    def supervisor_after(self, killed: int) -> int:
        """The supervisor that takes the place of a killed one, as soon as it has the platform."""

        def found() -> int:
            # The file is empty for a moment while it is written anew.
            with contextlib.suppress(ValueError):
                pid = self.supervisor()
                return pid if pid != killed and self.serves() else 0
            return 0

        return until(found, 60, self.log)

    def kill(self, *modules: str) -> tuple[float, float]:
        """kill -9, all at once; returns when others of that kind serve in their places.

        The moments (time.monotonic) before the signal and after the end of the last process.
        """
        before = {module: self.pids(module) for module in modules}
        assert all(before.values()), before
        watches = [os.pidfd_open(pid) for pids in before.values() for pid in pids]
        began = time.monotonic()
        for pids in before.values():
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
        for watch in watches:
            assert select.select([watch], [], [], 30)[0], f"one of {before} does not end"
            os.close(watch)
        gone = time.monotonic()
        until(lambda: self._replaced(before), 30, lambda: f"not restarted: {before} {self.log()}")
        return began, gone

    def _replaced(self, before: Mapping[str, list[int]]) -> bool:
        new = {module: self.pids(module) for module in before}
        fresh = all(new[m] and not set(new[m]) & set(before[m]) for m in before)
        return fresh and self.serves()

    def serves(self) -> bool:
        """Whether node, router and control all answer."""
        try:
            self.machines()
            with socket.socket(socket.AF_UNIX) as router:
                router.settimeout(5)
                router.connect(str(self.settings.router_socket))
                router.sendall(frames.encode({"type": "status"}))
                status = frames.decode(_exactly(router, int.from_bytes(_exactly(router, 4))))
            with socket.create_connection(("127.0.0.1", self.settings.control_port), 5):
                return bool(status["workers"])
        except Exception:
            return False

    def uninstall(self) -> Finished:
        return self.paas(
            "uninstall",
            "--confirm",
            self.settings.installation,
            check=False,
            timeout_s=UP_TIMEOUT_S,
        )

    def leftovers(self) -> list[str]:
        """Whatever on this host still belongs to the installation.

        A loop device may need a moment: udev looks at every one that changes, and holds it so long.
        """
        deadline = time.monotonic() + LOOP_TIMEOUT_S
        while True:
            found = self._leftovers()
            waits = found and all(line.startswith("loop ") for line in found)
            if not waits or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def _leftovers(self) -> list[str]:
        settings, name = self.settings, self.settings.installation
        roots = (f"/run/{name}", f"/var/lib/{name}")
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        found = [f"mount {line}" for line in mounts if any(f"{root}/" in line for root in roots)]
        for path in Path("/sys/class/net").iterdir():
            if path.name == settings.bridge or path.name.startswith(settings.veth_prefix):
                found.append(f"interface {path.name}")
        rules = run(["nft", "list", "ruleset"], os.environ).out
        found += [f"nft {line}" for line in rules.splitlines() if settings.nftables_table in line]
        found += [f"cgroup {path}" for path in Path("/sys/fs/cgroup").glob(f"*/{name}")]
        found += [f"cgroup {path}" for path in Path("/sys/fs/cgroup").glob(name)]
        loops = run(["losetup", "--list", "--noheadings"], os.environ).out
        found += [f"loop {line}" for line in loops.splitlines() if f"/var/lib/{name}/" in line]
        found += [f"process {line}" for line in self._processes(roots)]
        places = (*roots, f"/etc/smartplatform/{name}.toml")
        return found + [f"folder {place}" for place in places if Path(place).exists()]

    def _processes(self, roots: tuple[str, str]) -> list[str]:
        found = []
        mark = f"PAAS_INSTALLATION={self.settings.installation}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            words = _read(folder / "cmdline")
            inside = any(f"{root}/".encode() in word for root in roots for word in words)
            if inside or mark in _read(folder / "environ"):
                found.append(f"{folder.name} {b' '.join(words).decode(errors='replace')}")
        return found


def run(
    command: list[str],
    environment: Mapping[str, str],
    *,
    folder: Path | None = None,
    timeout_s: float = COMMAND_TIMEOUT_S,
) -> Finished:
    try:
        done = subprocess.run(
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as slow:
        said = ((slow.stdout or b"") + (slow.stderr or b"")).decode(errors="replace")
        raise AssertionError(f"{command}: not within {timeout_s} s\n{said}") from None
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    return Finished(done.returncode, out, err)


def until(
    condition: Callable[[], T], timeout_s: float, otherwise: Callable[[], object] = lambda: ""
) -> T:
    """What the condition gives as soon as it is true. Other processes send no events to a test."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {otherwise()}"
        time.sleep(0.05)


def _parent(pid: int) -> int:
    """0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _read(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\0")
    except OSError:
        return []


def _exactly(item: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = item.recv(count - len(data))
        assert more, "the router closed the connection"
        data += more
    return data
