"""A node beside Docker's daemon, both in a network namespace that stands for the whole host, with
the forward chains of both families dropping what nobody accepts, as Docker and ufw make them."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path
from typing import Any

import pytest

from paas.host.checks import network as checks
from paas.node.network import netlink
from paas.node.upkeep import remove
from paas.settings import Settings
from tests.names import own_name
from tests.paas.node import lan as lans
from tests.paas.node.conftest import RunningNode
from tests.paas.node.lan import Namespace
from tests.paas.node.security.conftest import create, source

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it makes networks"),
    pytest.mark.skipif(not shutil.which("dockerd"), reason="Docker is not installed"),
]

OUTSIDE, OUTSIDE6, RESOLVER = "203.0.113.1", "2fff::1", "198.51.100.53"
HOST, HOST6 = "203.0.113.2", "2fff::2"
INSIDE_PORT, PUBLISHED_PORT = 80, 8080
HOST_FOLDERS = ("usr", "lib", "lib64", "bin")
ANSWERS = {"PATIENCE_S": "30"}
REFUSED = {"silence", "EHOSTUNREACH", "ENETUNREACH", "ECONNREFUSED", "EACCES"}
IDLE = {"smartplatform:port": None, "docker:restartpolicy": "no"}
START_DAEMON = """\
mkdir "$1/cgroup" && mount --rbind /sys/fs/cgroup "$1/cgroup" && mount -t sysfs sysfs /sys &&
mount --rbind "$1/cgroup" /sys/fs/cgroup && shift && exec "$@"
"""
LISTEN = f"""\
import socketserver
class Server(socketserver.ThreadingTCPServer):
    address_family = 10
with Server(("::", {INSIDE_PORT}), socketserver.BaseRequestHandler) as server:
    print("listening", flush=True)
    server.serve_forever()
"""
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 80), float(sys.argv[2]))"


@dataclass
class Docker:
    """The daemon, with one container that listens on INSIDE_PORT, published as PUBLISHED_PORT."""

    address: Path
    container: str = ""

    def run(self, *words: str, input: bytes | None = None) -> str:
        argv = ["docker", "-H", f"unix://{self.address}", *words]
        return subprocess.check_output(argv, input=input, timeout=60, text=False).decode().strip()

    def addresses(self) -> tuple[str, str]:
        network = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}"
        ip, ip6 = self.run("inspect", self.container, "-f", network).split()
        return ip, ip6

    def connects(self, address: str, patience_s: float) -> bool:
        """From inside the container, to port 80."""
        argv = ["/usr/bin/python3", "-c", CONNECT, address, str(patience_s)]
        try:
            self.run("exec", self.container, *argv)
        except subprocess.CalledProcessError:
            return False
        return True


@dataclass
class Host:
    space: Namespace
    docker: Docker
    node: RunningNode
    zones: list[dict[str, Any]]

    def reach(self, zone: dict[str, Any], words: list[str], **environment: str) -> dict[str, str]:
        argv = ["python3", "-c", source("network"), *words]
        more = {"working_directory": "/", "environment": environment}
        code, text = asyncio.run(self.node.output(zone["uuid"], *argv, **more))
        assert code == 0, text
        found: dict[str, str] = json.loads(text.splitlines()[-1])
        return found


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    if not list(Path("/var/cache/smartplatform").glob("stack-*.tar")):
        pytest.skip("there is no stack in /var/cache/smartplatform: run script/bootstrap")
    with ExitStack() as stack:
        space = stack.enter_context(lans.namespace())
        outside = stack.enter_context(lans.namespace())
        connect(space, outside)
        stack.enter_context(serve(outside))
        docker = stack.enter_context(daemon(space, tmp_path_factory.mktemp("docker")))
        enter = ("nsenter", f"--net=/proc/{space.pid}/ns/net")
        # As ufw does; Docker does it itself for IPv4, and newer ones for IPv6.
        subprocess.run([*enter, "ip6tables", "-P", "FORWARD", "DROP"], check=True, timeout=30)
        node = stack.enter_context(running(enter))
        zones = asyncio.run(two_zones(node))
        yield Host(space, docker, node, zones)


def connect(space: Namespace, outside: Namespace) -> None:
    def configure_host() -> None:
        # Docker makes its chain drop when it is Docker that begins to forward.
        Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
        netlink.set_up("lo")
        netlink.add_veth("up0", "eth0", outside.pid, "02:00:00:00:00:98", 1500)
        netlink.set_up("up0")
        netlink.add_address("up0", IPv4Interface(f"{HOST}/24"))
        netlink.add_address("up0", IPv6Interface(f"{HOST6}/64"))

    def configure_outside() -> None:
        netlink.set_up("lo")
        netlink.set_up("eth0")
        for address in (f"{OUTSIDE}/24", f"{RESOLVER}/32"):
            netlink.add_address("eth0", IPv4Interface(address))
        netlink.add_address("eth0", IPv6Interface(f"{OUTSIDE6}/64"))

    space.run(configure_host)
    outside.run(configure_outside)
    space.run(lambda: netlink.add_default_route(IPv4Address(OUTSIDE), "up0"))
    space.run(lambda: netlink.add_default_route(IPv6Address(OUTSIDE6), "up0"))


@contextmanager
def serve(outside: Namespace) -> Iterator[None]:
    """A resolver that knows no name, and a TCP port of both families that accepts."""
    resolver = outside.open(socket.AF_INET, socket.SOCK_DGRAM)
    listener = outside.open(socket.AF_INET6, socket.SOCK_STREAM)
    resolver.settimeout(0.2)
    resolver.bind((RESOLVER, 53))
    listener.bind(("::", 80))
    listener.listen(64)
    done = threading.Event()

    def answer() -> None:
        while not done.is_set():
            try:
                question, asker = resolver.recvfrom(2000)
            except TimeoutError:
                continue
            resolver.sendto(question[:2] + b"\x81\x83" + question[4:], asker)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(lans.TIMEOUT_S)
        resolver.close()
        listener.close()


@contextmanager
def daemon(space: Namespace, folder: Path) -> Iterator[Docker]:
    """In mounts of its own too: Docker reads the interfaces from sysfs."""
    docker = Docker(folder / "docker.sock")
    argv = ["nsenter", f"--net=/proc/{space.pid}/ns/net", "unshare", "--mount"]
    argv += ["sh", "-c", START_DAEMON, "sh", str(folder), "dockerd", "--storage-driver=vfs"]
    argv += [f"--data-root={folder}/data", f"--exec-root={folder}/exec", "--ipv6"]
    argv += [f"--pidfile={folder}/pid", f"--host=unix://{docker.address}"]
    argv += ["--fixed-cidr-v6=fd00:dd::/64", f"--cgroup-parent=/test-docker-{os.getpid()}"]
    log = folder / "log"
    with log.open("wb") as output, subprocess.Popen(argv, stderr=output) as process:
        try:
            until_it_answers(docker, process, log)
            start_container(docker)
            yield docker
        finally:
            if docker.container:
                with suppress(subprocess.SubprocessError):
                    docker.run("rm", "--force", docker.container)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
            for pattern in ("", "*/"):
                for path in Path("/sys/fs/cgroup").glob(f"{pattern}test-docker-{os.getpid()}"):
                    path.rmdir()


def until_it_answers(docker: Docker, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        assert process.poll() is None, log.read_text()[-2000:]
        with socket.socket(socket.AF_UNIX) as channel:
            if channel.connect_ex(str(docker.address)) == 0:
                docker.run("version")
                return
        time.sleep(0.1)
    pytest.fail(f"dockerd did not start: {log.read_text()[-2000:]}")


def start_container(docker: Docker) -> None:
    """The image is empty: the host's own programs are mounted into it."""
    empty = subprocess.check_output(["tar", "-cT", "/dev/null"], timeout=30)
    image = docker.run("import", "-", input=empty)
    mounts = [f"--volume=/{name}:/{name}:ro" for name in HOST_FOLDERS]
    published = f"--publish={PUBLISHED_PORT}:{INSIDE_PORT}"
    argv = ["run", "--detach", published, *mounts, image, "/usr/bin/python3", "-c", LISTEN]
    docker.container = docker.run(*argv)
    deadline_s = time.monotonic() + 60
    while "listening" not in docker.run("logs", docker.container):
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


@contextmanager
def running(enter: tuple[str, ...]) -> Iterator[RunningNode]:
    settings = Settings(installation=own_name("test-docker"))
    settings.logs.mkdir(parents=True)
    node = RunningNode(settings, prefix=enter)
    try:
        node.start()
        yield node
    finally:
        if node.process is not None:
            node.stop()
        asyncio.run(remove.remove(settings))
        shutil.rmtree(settings.state, ignore_errors=True)
        shutil.rmtree(settings.run, ignore_errors=True)


async def two_zones(node: RunningNode) -> list[dict[str, Any]]:
    more = {"metadata": IDLE, "resolvers": [RESOLVER]}
    return [await create(node, ["sleep", "1000"], **more) for _ in range(2)]


def test_zones_get_out(host: Host) -> None:
    words = [f"tcp:{OUTSIDE}:80", f"tcp:{OUTSIDE6}:80"]
    for zone in host.zones:
        assert host.reach(zone, words, **ANSWERS) == dict.fromkeys(words, "done")


def test_the_doctor_says_so(host: Host) -> None:
    settings = host.node.settings
    argv = [*host.node.prefix, "nft", "-j", "list", "ruleset"]
    objects = json.loads(subprocess.check_output(argv, timeout=30))["nftables"]
    chains = checks._dropping_chains(objects)
    assert set(chains) == {"ip filter FORWARD", "ip6 filter FORWARD"}
    assert all(settings.nftables_table in comments for comments in chains.values())
    found = asyncio.run(checks._ask_from_a_zone(settings))
    assert (found.level, found.text) == ("ok", "a machine reached its resolver")


def test_no_zone_reaches_a_container_and_no_container_a_zone(host: Host) -> None:
    container, container6 = host.docker.addresses()
    gateway = str(host.node.settings.network.network_address + 1)
    inside = [f"tcp:{container}:{INSIDE_PORT}", f"tcp:{container6}:{INSIDE_PORT}"]
    published = [f"tcp:{address}:{PUBLISHED_PORT}" for address in (gateway, HOST, HOST6)]
    from_host = [*inside, f"tcp:{HOST}:{PUBLISHED_PORT}"]
    argv = [*host.node.prefix, "python3", "-c", source("network"), *from_host]
    shown = subprocess.check_output(argv, timeout=60, env=os.environ | ANSWERS)
    own = json.loads(shown)
    assert own == dict.fromkeys(from_host, "done")
    for zone in host.zones:
        found = host.reach(zone, [*inside, *published])
        assert {word: end for word, end in found.items() if end not in REFUSED} == {}
    assert host.docker.connects(OUTSIDE, 30)
    for address in [item.partition("/")[0] for item in host.zones[0]["nics"][0]["ips"]]:
        assert not host.docker.connects(address, 1)


def test_a_container_is_reached_once_its_address_is_opened(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    container, container6 = host.docker.addresses()
    opened = f"{container}:{INSIDE_PORT}, [{container6}]:{INSIDE_PORT}"
    monkeypatch.setenv("PAAS_OPEN_RANGES", opened)
    host.node.stop()
    host.node.start()
    words = [f"tcp:{container}:{INSIDE_PORT}", f"tcp:{container6}:{INSIDE_PORT}"]
    assert host.reach(host.zones[0], words, **ANSWERS) == dict.fromkeys(words, "done")
    other = f"tcp:172.17.0.1:{INSIDE_PORT}"
    assert host.reach(host.zones[0], [other])[other] in REFUSED
