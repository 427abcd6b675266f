"""Standard streams by their names: programs that log to /dev/stdout or /dev/fd/2 are at home."""

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from paas.node.zone import streams
from tests.paas.node.conftest import RunningNode

pytestmark = pytest.mark.root

QUIET: dict[str, Any] = {"smartplatform:port": None, "docker:restartpolicy": "no"}
PATIENCE_S = 60
NAMES = ("/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2", "/proc/self/fd/1")
WRITES = f"""
const fs = require('fs');
const {{ spawnSync }} = require('child_process');
for (const name of {list(NAMES)}) {{
  fs.appendFileSync(name, `appended to ${{name}}\\n`);
  fs.writeFileSync(name, `written to ${{name}}\\n`);
  const stream = fs.createWriteStream(name, {{ flags: 'a' }});
  stream.end(`streamed to ${{name}}\\n`);
  const shell = {{ stdio: 'inherit' }};
  spawnSync('sh', ['-c', `echo echoed to ${{name}} > ${{name}}`], shell);
  spawnSync('sh', ['-c', `echo teed to ${{name}} | tee -a ${{name}}`], shell);
}}
fs.readFileSync('/dev/stdin');
"""
EXPECTED = {
    f"{how} to {name}"
    for name in NAMES
    for how in ("appended", "written", "streamed", "echoed", "teed")
}


def test_a_program_opens_its_standard_streams_by_name(running_node: RunningNode) -> None:
    async def story() -> None:
        payload = await running_node.payload(["node", "-e", WRITES], metadata=QUIET)
        uuid = payload["uuid"]
        await running_node.client.create(payload)
        try:
            ended = await running_node.until(uuid, lambda vm: vm["state"] == "stopped", PATIENCE_S)
            text = running_node.log(uuid)
            assert ended["exit_status"] == 0, text
            assert {line.split(" F ")[-1] for line in text.splitlines()} >= EXPECTED
            assert any(" stderr F " in line and "/dev/fd/2" in line for line in text.splitlines())
        finally:
            await running_node.client.delete(uuid)

    asyncio.run(story())


@pytest.mark.parametrize("user", ["app", "root"])
def test_a_command_run_inside_opens_them_too(running_node: RunningNode, user: str) -> None:
    async def story() -> None:
        payload = await running_node.payload(["sleep", "1000"], metadata=QUIET)
        await running_node.client.create(payload)
        try:
            code, text = await running_node.output(
                payload["uuid"], "node", "-e", WRITES, user=user, working_directory="/tmp"
            )
            assert (code, set(text.splitlines())) == (0, EXPECTED)
        finally:
            await running_node.client.delete(payload["uuid"])

    asyncio.run(story())


def test_nothing_but_a_pipe_without_a_name_is_given_away(tmp_path: Path) -> None:
    """Of a caller's terminal, file or named pipe the zone gets no part."""
    named, file = tmp_path / "fifo", tmp_path / "file"
    os.mkfifo(named)
    file.touch()
    primary, terminal = os.openpty()
    reading, writing = os.pipe()
    opened = [os.open(named, os.O_RDWR), os.open(file, os.O_RDWR), os.open(os.devnull, os.O_RDWR)]
    try:
        before = [os.fstat(descriptor).st_uid for descriptor in (*opened, terminal)]
        streams.give([*opened, terminal, writing], 12345, 12345)
        assert [os.fstat(descriptor).st_uid for descriptor in (*opened, terminal)] == before
        assert os.fstat(reading).st_uid == 12345
        assert stat.S_ISFIFO(os.fstat(reading).st_mode)
    finally:
        for descriptor in (primary, terminal, reading, writing, *opened):
            os.close(descriptor)
