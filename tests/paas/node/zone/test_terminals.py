"""A process with a terminal in a running zone: bytes, size, keys, its end, and the walls around it.

The judge is what the zone's own programs say: tty, stty, bash's job control.
"""

import asyncio
import contextlib
import os
import re
import termios
import tty
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from paas.node.client import Execution
from paas.node.errors import NodeError
from paas.node.protocol import ExitStatus
from paas.system import descriptors
from tests.paas.node.conftest import PATIENCE_S, RunningNode

pytestmark = pytest.mark.root
WALLS = ("NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000")


@dataclass
class Terminal:
    """The user's side of one."""

    master: int
    execution: Execution
    seen: str = ""
    is_open: bool = True

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def resize(self, rows: int, columns: int) -> None:
        termios.tcsetwinsize(self.master, (rows, columns))

    async def until(self, pattern: str) -> str:
        """What was printed, once this is in it; with an empty pattern all of it."""
        async with asyncio.timeout(PATIENCE_S):
            while not pattern or not re.search(pattern, self.seen):
                try:
                    piece = await descriptors.read(self.master, 65536)
                except OSError:  # EIO: nobody has the other side any more
                    break
                self.seen += piece.decode(errors="replace")
        assert re.search(pattern, self.seen), f"{pattern!r} is not in {self.seen!r}"
        found, self.seen = self.seen, ""
        return found

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            os.close(self.master)


@contextlib.asynccontextmanager
async def machine(node: RunningNode) -> AsyncIterator[str]:
    payload = await node.payload(["sleep", "infinity"], metadata={"smartplatform:port": None})
    uuid = str((await node.client.create(payload))["uuid"])
    try:
        yield uuid
    finally:
        await node.client.delete(uuid)


@contextlib.asynccontextmanager
async def terminal(node: RunningNode, uuid: str, *command: str) -> AsyncIterator[Terminal]:
    master, slave = os.openpty()
    os.set_blocking(master, False)
    tty.setraw(slave)
    termios.tcsetwinsize(slave, (41, 103))
    streams, more = (slave, slave, slave), {"TERM": "dumb", "PS1": "ready> "}
    async with node.client.executing(
        uuid, command, streams, terminal=True, hang_up_s=PATIENCE_S, environment=more
    ) as execution:
        os.close(slave)
        made = Terminal(master, execution)
        try:
            yield made
        finally:
            made.close()


def test_a_terminal_is_one_inside_with_size_keys_and_exit_status(running_node: RunningNode) -> None:
    async def story() -> None:
        async with (
            machine(running_node) as uuid,
            terminal(running_node, uuid, "bash", "--norc") as user,
        ):
            await user.until("ready> ")
            user.type("tty; stty size\r")
            assert "/dev/pts/0" in await user.until(r"41 103\s+ready> ")
            user.resize(50, 120)
            # The size goes its own way, and may come after what is typed next.
            user.type('until [ "$(stty size)" = "50 120" ]; do sleep 0.05; done; echo n$((3))w\r')
            await user.until(r"n3w\s+ready> ")
            # One program says it and waits: dash loses a SIGINT between two.
            user.type("echo a$((1))b > /tmp/mark; cat /tmp/mark -\r")
            await user.until("a1b")
            user.type("\x03")
            await user.until("ready> ")
            user.type("sh -c 'echo c$((2))d; cat'; echo e$?\r")
            await user.until("c2d")
            user.type("\x04")
            await user.until("e0")
            user.type("exit 5\r")
            await user.until("")
            assert await user.execution.ended() == ExitStatus(5)

    asyncio.run(story())


def test_what_runs_in_a_terminal_has_no_more_rights_than_the_app(running_node: RunningNode) -> None:
    async def story() -> None:
        async with machine(running_node) as uuid:
            script = "id -u; cat /proc/self/status; cat /proc/1/cgroup /proc/self/cgroup | sort -u"
            async with terminal(running_node, uuid, "sh", "-c", script) as user:
                said = (await user.until("")).replace("\r\n", "\n")
                assert said.startswith("1000\n")
                assert all(wall in said for wall in WALLS)
                assert "CapInh:\t0000000000000000" in said
            # Each hierarchy once: the shell's are those of the zone's first process.
            paths = re.findall(r"^(\d+):.*$", said, re.MULTILINE)
            assert paths and len(paths) == len(set(paths))
            assert await user.execution.ended() == ExitStatus(0)

    asyncio.run(story())


@pytest.mark.parametrize("with_terminal", [True, False])
def test_who_goes_is_followed_by_a_hang_up(running_node: RunningNode, with_terminal: bool) -> None:
    """SIGHUP first: the command may end in its own way."""

    async def story() -> None:
        script = "trap 'echo hung up > /tmp/told; exit' HUP; echo set; while :; do sleep 0.05; done"
        async with machine(running_node) as uuid:
            if with_terminal:
                async with terminal(running_node, uuid, "bash", "-c", script) as user:
                    await user.until("set")
            else:
                reading, writing = os.pipe()
                os.set_blocking(reading, False)
                null = os.open(os.devnull, os.O_RDWR)
                async with running_node.client.executing(
                    uuid, ["bash", "-c", script], (null, writing, writing), hang_up_s=PATIENCE_S
                ):
                    assert await descriptors.read(reading, 3) == b"set"
            wait = "until test -s /tmp/told; do sleep 0.05; done; cat /tmp/told"
            assert await running_node.output(uuid, "sh", "-c", wait) == (0, "hung up\n")
            if not with_terminal:
                # Not before: bash says on its standard error that a child was hung up.
                for descriptor in (reading, writing, null):
                    os.close(descriptor)

    asyncio.run(story())


def test_a_command_that_stays_after_the_hang_up_is_killed(running_node: RunningNode) -> None:
    async def story() -> None:
        async with machine(running_node) as uuid:
            script = "trap '' HUP; echo $$ set; while :; do sleep 0.05; done"
            master, slave = os.openpty()
            os.set_blocking(master, False)
            streams = (slave, slave, slave)
            async with running_node.client.executing(
                uuid, ["sh", "-c", script], streams, terminal=True, hang_up_s=0.2
            ):
                os.close(slave)
                said = b""
                while b"set" not in said:
                    said += await descriptors.read(master, 100)
            os.close(master)
            pid = said.split()[0].decode()
            wait = f"while test -d /proc/{pid}; do sleep 0.05; done; echo gone"
            assert await running_node.output(uuid, "sh", "-c", wait) == (0, "gone\n")

    asyncio.run(story())


def test_a_terminal_must_be_one(running_node: RunningNode) -> None:
    async def story() -> None:
        async with machine(running_node) as uuid:
            null = os.open(os.devnull, os.O_RDWR)
            with pytest.raises(NodeError, match="must be one"):
                async with running_node.client.executing(
                    uuid, ["true"], (null, null, null), terminal=True
                ) as execution:
                    os.close(null)
                    await execution.ended()

    asyncio.run(story())


def test_a_port_that_only_the_zone_itself_reaches_is_connected_to(
    running_node: RunningNode,
) -> None:
    """Node.js's own inspector is asked."""

    async def story() -> None:
        program = "setInterval(() => {}, 1000)"
        command = ["node", "--inspect=127.0.0.1:9229", "-e", program]
        payload = await running_node.payload(command, metadata={"smartplatform:port": None})
        uuid = str((await running_node.client.create(payload))["uuid"])
        try:
            wait = "until grep -q ':240D ' /proc/net/tcp; do sleep 0.05; done"
            await running_node.output(uuid, "sh", "-c", wait)
            connection = await running_node.client.connect(uuid, 9229)
            reader, writer = await asyncio.open_connection(sock=connection)
            writer.write(b"GET /json/version HTTP/1.1\r\nHost: localhost\r\n\r\n")
            async with asyncio.timeout(PATIENCE_S):
                assert b"200 OK" in await reader.readline()
            writer.close()
            with pytest.raises(NodeError, match="nothing listens on port 9230"):
                await running_node.client.connect(uuid, 9230)
        finally:
            await running_node.client.delete(uuid)

    asyncio.run(story())
