"""What an app can't do from inside its instance. The app is hostile: it runs what we send it."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from paas.node.client import Node
from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import Developer
from tests.acceptance.installation import Installation, until


@pytest.fixture
def neighbour(new_app: NewApp) -> Developer:
    developer = new_app(prefix="neighbour")
    (developer.folder / "secret.txt").write_text("the neighbour's secret\n")
    developer.commit("A secret")
    developer.push()
    return developer


def shell(app: Developer, script: str) -> str:
    found = app.inside(script)
    return f"{found['stdout']}{found['stderr']}".strip()


def test_it_sees_its_own_processes_only(app: Developer) -> None:
    processes = shell(app, "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done")
    assert "node server.js" in processes
    assert "conmon" not in processes and "paas" not in processes
    assert "server.js" in shell(app, "tr '\\0' ' ' < /proc/1/cmdline")
    outside = app.installation.machine(app.app)["pid"]
    for kind in ("pid", "mnt", "ipc", "uts", "net", "cgroup", "user"):
        inside = shell(app, f"readlink /proc/self/ns/{kind}")
        assert inside.startswith(f"{kind}:[")
        assert inside != str(Path(f"/proc/self/ns/{kind}").readlink())
        assert inside == str(Path(f"/proc/{outside}/ns/{kind}").readlink())


def test_it_is_nobody_on_the_host_and_can_become_nobody_else(
    app: Developer, neighbour: Developer
) -> None:
    assert shell(app, "id -u") == "1000"
    for line in shell(app, "cat /proc/self/uid_map").splitlines():
        inside, outside, count = map(int, line.split())
        assert outside >= 100000, line
        assert inside + count <= 65536
    assert shell(app, "cat /proc/self/uid_map") != shell(neighbour, "cat /proc/self/uid_map")
    status = dict(line.split(":", 1) for line in shell(app, "cat /proc/self/status").splitlines())
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[capabilities], 16) == 0, capabilities
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    assert app.inside("mount -t tmpfs none /tmp")["status"] != 0
    assert app.inside("unshare --user true")["status"] != 0
    assert app.inside("chroot / true")["status"] != 0


def test_it_sees_no_file_of_the_host(app: Developer, platform: Installation) -> None:
    names = set(shell(app, "ls -A /").split())
    usual = {"app", "bin", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "opt"}
    usual |= {"proc", "root", "run", "sbin", "sys", "tmp", "usr", "var", "mnt", "srv", "media"}
    assert names <= usual, names - usual
    everything = shell(app, "find / -xdev \\( -path /proc -o -path /usr -o -path /opt/node \\) "
                            "-prune -o -print 2>/dev/null | head -2000")  # fmt: skip
    assert platform.settings.installation not in everything
    assert "control.sock" not in everything and "node.sock" not in everything
    assert not shell(app, "find /boot /home /mnt /root /srv -mindepth 1 2>/dev/null")
    assert not shell(app, "cat /etc/shadow 2>/dev/null")
    assert shell(app, "ls /dev/sda /dev/vda /dev/kmsg /dev/mem /dev/loop0 2>/dev/null") == ""
    readonly = app.inside("touch /usr/x || touch /opt/node/x || touch /etc/resolv.conf")
    assert readonly["status"] != 0
    assert app.inside("echo 1 > /proc/sys/kernel/panic")["status"] != 0
    assert app.inside("echo b > /proc/sysrq-trigger")["status"] != 0
    ours = {"resolv.conf", "hosts", "hostname", "ca-certificates.crt", "preload.cjs"}
    for line in shell(app, "cat /proc/self/mountinfo").splitlines():
        source = line.split()[3]
        assert platform.settings.installation not in source or source.split("/")[-1] in ours, line


def test_it_reads_no_file_of_another_app(
    app: Developer, neighbour: Developer, platform: Installation
) -> None:
    assert shell(neighbour, "cat secret.txt") == "the neighbour's secret"
    machine = platform.machine(neighbour.app)
    state, run = platform.settings.state, platform.settings.run
    outside = app.inside(
        f"cat {state}/zones/{machine['uuid']}/root/app/secret.txt "
        f"{run}/machines/{machine['uuid']}/tree/root/app/secret.txt "
        f"/proc/{machine['pid']}/root/app/secret.txt"
    )
    assert outside["status"] != 0 and outside["stdout"] == ""
    found = shell(app, 'grep -rl "the neighbour\'s secret" / --include=secret.txt 2>/dev/null')
    assert found == ""


CONNECT = """node -e "
for (const [host, port] of TARGETS) {
  const socket = require('node:net').connect({ host, port, autoSelectFamily: false });
  const end = (what) => { console.log(host + ' ' + port + ' ' + what); socket.destroy(); };
  socket.setTimeout(PATIENCE_MS, () => end('timeout'));
  socket.on('connect', () => end('connected'));
  socket.on('error', (error) => end(error.code));
}" """


def connect(
    app: Developer, targets: list[tuple[str, int]], patience_ms: int = 2000
) -> dict[tuple[str, int], str]:
    """What comes of connecting from inside the app to each target, all at once."""
    listed = ", ".join(f"['{host}', {port}]" for host, port in targets)
    program = CONNECT.replace("TARGETS", f"[{listed}]").replace("PATIENCE_MS", str(patience_ms))
    said = shell(app, program)
    words = [line.split() for line in said.splitlines()]
    found = {(host, int(port)): what for host, port, what in words}
    assert found.keys() == set(targets), said
    return found


def test_it_reaches_neither_the_platform_nor_a_neighbour_nor_the_host(
    app: Developer, neighbour: Developer, platform: Installation
) -> None:
    settings = platform.settings
    bridge = str(settings.network.network_address + 1)
    other = platform.machine(neighbour.app)["nics"][0]["ip"]
    port = int(shell(neighbour, "echo $PORT"))
    assert connect(neighbour, [("127.0.0.1", port), (other, port)], patience_ms=15_000) == {
        ("127.0.0.1", port): "connected",
        (other, port): "connected",
    }
    with listening() as service:
        hosts = (bridge, outgoing(), "127.0.0.1")
        ports = (service, settings.control_port, settings.router_port, 22)
        targets = [(host, number) for host in hosts for number in ports]
        targets += [(other, port), ("169.254.169.254", 80)]
        reached = [where for where, what in connect(app, targets).items() if what == "connected"]
    assert reached == []


def outgoing() -> str:
    """The host's own address; no packet is sent for this."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as item:
        try:
            item.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(item.getsockname()[0])


@contextmanager
def listening() -> Iterator[int]:
    """A service of the host on all of its addresses."""
    with socket.create_server(("", 0)) as server:
        yield server.getsockname()[1]


def test_a_fork_bomb_ends_at_the_limit_and_the_neighbour_lives(
    app: Developer, neighbour: Developer
) -> None:
    app.paas("ps:scale", "web=1:standard-128m")
    made = shell(
        app,
        "n=0; while [ $n -lt 2000 ]; do sleep 8 & n=$((n+1)); done 2>&1 | tail -n 1; "
        "ls -d /proc/[0-9]* | wc -l",
    )
    limit = app.installation.machine(app.app)["max_lwps"]
    count = int(made.splitlines()[-1]) if made.splitlines()[-1].isdigit() else 0
    assert count <= limit, made
    assert "fork" in made.lower() or "Resource temporarily unavailable" in made, made
    assert neighbour.get().text == "one"
    until(lambda: answers(app), 40)


def test_a_memory_hog_is_stopped_at_its_limit_and_the_neighbour_lives(
    app: Developer, neighbour: Developer
) -> None:
    before = app.installation.machine(app.app)
    assert before["max_physical_memory"] == 512
    filling = threading.Thread(target=lambda: answers(app, "/fill"))
    filling.start()
    until(lambda: app.installation.machine(app.app).get("exit_status") == 137, 30)
    filling.join()
    assert neighbour.get().text == "one"
    until(lambda: answers(app), 30)
    assert app.installation.machine(app.app)["uuid"] == before["uuid"]


def answers(app: Developer, path: str = "/") -> bool:
    try:
        return app.get(path).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_disk_hog_is_stopped_at_its_quota(app: Developer, platform: Installation) -> None:
    machine = platform.machine(app.app)["uuid"]
    asyncio.run(Node(platform.settings.node_socket).update(machine, {"quota": 1}))
    filled = app.inside("head -c 1200M /dev/zero > /app/full; stat -c %s /app/full; rm /app/full")
    assert "No space left" in str(filled["stderr"]) or "quota" in str(filled["stderr"]), filled
    assert int(str(filled["stdout"])) <= 1 << 30
    assert app.get().text == "one"
