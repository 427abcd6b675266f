"""The command itself against a node that runs: machines sent, received, watched."""

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.paas.node.conftest import RunningNode
from tests.paas.node.leftovers import leftovers

pytestmark = pytest.mark.root
QUIET: dict[str, Any] = {"smartplatform:port": None, "docker:restartpolicy": None}
STAY = 'echo "this is $(hostname)"; trap "exit 0" TERM; while :; do sleep 1000 & wait; done'
PATIENCE_S = 120


def environment(node: RunningNode) -> dict[str, str]:
    return {**os.environ, "PAAS_INSTALLATION": node.settings.installation}


def vmadm(node: RunningNode, *words: str, **more: Any) -> "subprocess.CompletedProcess[bytes]":
    argv = [sys.executable, "-m", "paas.node.commands.vmadm", *words]
    more.setdefault("stdin", None if "input" in more else subprocess.DEVNULL)
    if "input" in more:
        more.pop("stdin")
    more.setdefault("stdout", subprocess.PIPE)
    return subprocess.run(
        argv, stderr=subprocess.PIPE, env=environment(node), timeout=PATIENCE_S, **more
    )


@pytest.fixture(scope="module")
def machine(running_node: RunningNode) -> Iterator[str]:
    command = ["sh", "-c", STAY]
    more = {"tags": {"kept": "yes"}, "hostname": "web"}
    payload = asyncio.run(running_node.payload(command, metadata=QUIET, **more))
    done = vmadm(running_node, "create", input=json.dumps(payload).encode())
    assert done.stderr.decode() == f"Successfully created VM {payload['uuid']}\n"
    yield payload["uuid"]
    vmadm(running_node, "delete", payload["uuid"])


def test_a_machine_is_sent_and_received_whole_or_not_at_all(
    running_node: RunningNode, machine: str, tmp_path: Path
) -> None:
    client, stream = running_node.client, tmp_path / "machine"
    write = ["sh", "-c", "echo mine > /app/file"]
    asyncio.run(running_node.output(machine, *write))
    with stream.open("wb") as file:
        done = vmadm(running_node, "send", machine, stdout=file)
    assert (done.returncode, done.stderr.decode()) == (0, f"Successfully sent VM {machine}\n")
    before = asyncio.run(client.get(machine))
    assert before["state"] == "stopped" and before["autoboot"] is True

    read, write_end = os.pipe()
    os.close(read)
    unread = vmadm(running_node, "send", machine, stdout=write_end)
    os.close(write_end)
    assert unread.returncode == 1 and b"nobody reads the stream" in unread.stderr
    taken = vmadm(running_node, "receive", "-f", str(stream))
    assert taken.returncode == 1 and b"exists: delete it first" in taken.stderr
    assert vmadm(running_node, "delete", machine).returncode == 0

    whole = stream.read_bytes()
    flipped = len(whole) // 2
    for wrong in (
        *(whole[: len(whole) * part // 7] for part in range(7)),
        whole[:-1],
        whole[:flipped] + bytes([whole[flipped] ^ 1]) + whole[flipped + 1 :],
    ):
        done = vmadm(running_node, "receive", input=wrong)
        assert done.returncode == 1 and b"Send it again" in done.stderr, done.stderr
        assert asyncio.run(client.list()) == []
    images = {image["uuid"] for image in asyncio.run(client.images())}
    assert running_node.process is not None
    assert leftovers(running_node.settings, set(), images, running_node.process.pid) == []

    done = vmadm(running_node, "receive", input=whole)
    assert (done.returncode, done.stderr.decode()) == (0, f"Successfully received VM {machine}\n")
    assert asyncio.run(client.get(machine))["state"] == "receiving"
    refused = vmadm(running_node, "start", machine)
    assert refused.returncode == 1 and f"Run: vmadm install {machine}".encode() in refused.stderr
    running_node.kill()
    running_node.start()
    # What the refusal says to do.
    done = vmadm(running_node, "install", machine)
    assert (done.returncode, done.stderr.decode()) == (0, f"Successfully installed VM {machine}\n")
    after = asyncio.run(client.get(machine))
    assert after["state"] == "running" and after["tags"] == {"kept": "yes"}
    assert asyncio.run(running_node.output(machine, "cat", "/app/file")) == (0, "mine\n")
    again = vmadm(running_node, "install", machine)
    assert again.returncode == 1 and b'must be "receiving"' in again.stderr


def test_a_console_shows_what_is_printed_and_is_left(
    running_node: RunningNode, machine: str
) -> None:
    leader, follower = pty.openpty()
    argv = [sys.executable, "-m", "paas.node.commands.vmadm", "console", machine]
    with subprocess.Popen(
        argv,
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(running_node),
    ) as console:
        assert console.stderr is not None and console.stdout is not None
        assert b"CTRL-] leaves" in console.stderr.readline()
        script = "printf 'said \\033[2Jhere\\n' > /proc/1/fd/1"
        asyncio.run(running_node.output(machine, "sh", "-c", script))
        assert console.stdout.readline().decode() == "said \N{REPLACEMENT CHARACTER}[2Jhere\n"
        os.write(leader, b"\x1d")
        assert console.wait(PATIENCE_S) == 0
    os.close(leader)
    os.close(follower)
    assert asyncio.run(running_node.client.get(machine))["state"] == "running"
    assert vmadm(running_node, "stop", "-F", machine).returncode == 0
    done = vmadm(running_node, "console", machine)
    assert done.returncode == 1
    said = 'cannot connect to console when state is "stopped" must be "running".\n'
    assert done.stderr.decode() == said


def test_vminfod_tells_of_machines_over_http(running_node: RunningNode, machine: str) -> None:
    socket = running_node.settings.run / "vminfod.sock"
    assert socket.stat().st_mode & 0o777 == 0o600
    curl = ["curl", "-sS", "--max-time", "60", "--unix-socket", str(socket)]

    def get(path: str, *more: str) -> tuple[int, str]:
        argv = [*curl, "-w", "\n%{http_code}", *more, f"http://vminfod{path}"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=90, check=True)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body

    vm = asyncio.run(running_node.client.get(machine))
    assert get("/ping") == (200, '{"ping": "pong"}')
    assert [json.loads(body) for _, body in (get("/vms"), get(f"/vms/{machine}"))] == [[vm], vm]
    assert json.loads(get("/status")[1])["numVms"] == 1
    assert get("/vms/no-such") == (404, "VM Not Found: no-such")
    assert get("/no-such") == (404, "Unsupported URL Path")
    assert get("/vms", "-X", "DELETE") == (400, "")
    assert get("/vms", "-H", f"X: {'x' * 20_000}")[0] == 431
    with subprocess.Popen([*curl, "-N", "http://v/events"], stdout=subprocess.PIPE) as events:
        assert events.stdout is not None
        ready = json.loads(events.stdout.readline())
        assert ready["type"] == "ready" and json.loads(ready["vms"]) == [vm]
        asyncio.run(running_node.client.update(machine, {"set_tags": {"seen": "yes"}}))
        event = json.loads(events.stdout.readline())
        assert (event["type"], event["zonename"]) == ("modify", machine)
        assert "tags.seen" in {change["prettyPath"] for change in event["changes"]}
        events.terminate()
