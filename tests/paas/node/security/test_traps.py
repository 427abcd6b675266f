"""Traps where the host looks: links, pipes, working folders, terminals, the runtime itself."""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import stat
import subprocess
import termios
from pathlib import Path

import pytest

from paas.node.errors import NodeError
from tests.paas.node.security.conftest import IDLE, Walls, create_capable, wait

pytestmark = pytest.mark.root

WHERE = "import json, os; print(json.dumps([os.getcwd(), sorted(os.listdir('../../../../..'))]))"
CLIMB = "/".join([".."] * 12)


@pytest.mark.parametrize("through", ["/proc/self/fd", "/app/trap"])
def test_no_working_folder_leads_out(walls: Walls, through: str) -> None:
    """As with runc's leaked descriptors (CVE-2024-21626)."""
    uuid = walls.app["uuid"]
    walls.run(uuid, "sh", "-c", "mkdir -p /app/trap; cd /app/trap; "
              "for n in $(seq 3 12); do ln -sf /proc/self/fd/$n $n; done")  # fmt: skip
    own_root = walls.run(uuid, "ls", "-A", "/")[1].split()
    for number in range(3, 13):
        code, text = walls.run(
            uuid, "python3", "-c", WHERE, working_directory=f"{through}/{number}"
        )
        if code == 0:
            _, listing = json.loads(text.splitlines()[-1])
            assert listing == sorted(own_root)
        assert str(walls.node.settings.state) not in text


def test_no_machine_starts_in_a_folder_of_the_host(walls: Walls) -> None:
    for number in (7, 8):
        workdir = {**IDLE, "docker:workdir": f"/proc/self/fd/{number}"}
        try:
            with walls.machine(["sleep", "100"], metadata=workdir) as uuid:
                pid = walls.vm(uuid)["pid"]
                place = Path(f"/proc/{pid}/cwd").stat()
                inner = Path(f"/proc/{pid}/root").stat()
                assert place.st_dev == inner.st_dev
        except NodeError as error:
            assert error.code == "StartFailed"


def test_links_in_the_places_of_mounts_lead_to_nothing_outside(
    walls: Walls, tmp_path: Path
) -> None:
    """Its root prepares the trap, the next boot walks into it."""
    tmp_path.chmod(0o777)
    vm = wait(create_capable(walls.node))
    uuid = vm["uuid"]
    try:
        trap = (
            "cp -a /etc /etc.new && mv /etc /etc.old 2>/dev/null; "
            f"for name in srv mnt opt var run; do rm -rf /$name; ln -s {CLIMB}{tmp_path} /$name; "
            f"done; ln -s {CLIMB}{tmp_path} /etc; ls -l /"
        )
        walls.run(uuid, "sh", "-c", trap, user="root", working_directory="/")
        try:
            wait(walls.node.client.reboot(uuid, force=True))
        except NodeError as error:
            assert error.code == "StartFailed"
        assert list(tmp_path.iterdir()) == []
    finally:
        wait(walls.node.client.delete(uuid))
    assert tmp_path.is_dir()


def test_a_tree_full_of_traps_becomes_an_image_and_boots(walls: Walls, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    vm_uuid = ""
    try:
        with walls.machine(["sleep", "100"], metadata=IDLE) as uuid:
            trap = (
                f"cd /app; mkfifo pipe; ln -s {secret} absolute; ln -s {CLIMB}{secret} climbing; "
                "ln -s /proc/1/root root; ln -s . loop; cp /bin/sh setuid; chmod 6755 setuid; "
                "python3 -c \"import socket; socket.socket(1).bind('socket')\"; "
                "ln -s /dev/zero zero; mkdir -p a/b; touch -- '-rf' \"$(printf 'new\\nline')\""
            )
            assert walls.run(uuid, "sh", "-c", trap) == (0, "")
            wait(walls.node.client.stop(uuid, force=True))
            image = {
                "uuid": uuid[:-4] + "7a97",
                "name": "traps",
                "version": "1",
                "tags": {"smartplatform:role": "app"},
            }
            wait(walls.node.client.create_image(uuid, image, keep_machine=True))
        with walls.machine(["sleep", "100"], metadata=IDLE, image_uuid=image["uuid"]) as vm_uuid:
            code, text = walls.run(vm_uuid, "cat", "absolute", "climbing")
            assert code == 1
            assert "of the host" not in text
            # Neither no_new_privs nor the mount lets it be another user.
            assert walls.run(vm_uuid, "./setuid", "-c", "id -u") == (0, "1000\n")
        assert secret.read_text() == "of the host"
    finally:
        wait(walls.node.client.delete_image(image["uuid"]))


def test_the_runtime_can_not_be_overwritten_from_inside(walls: Walls) -> None:
    """As with CVE-2019-5736: the zone waits for runc's processes and opens what they run."""
    runc = Path(str(shutil.which("runc")))
    before = (hashlib.sha256(runc.read_bytes()).hexdigest(), runc.stat().st_mtime_ns)
    hunter = (
        "import json, os, time\n"
        "end, found = time.monotonic() + 2, {}\n"
        "while time.monotonic() < end:\n"
        "    for pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "        try:\n"
        "            name = os.readlink(f'/proc/{pid}/exe')\n"
        "            if 'runc' not in name: continue\n"
        "            found[name] = 'seen'\n"
        "            os.open(f'/proc/{pid}/exe', os.O_RDWR); found[name] = 'opened'\n"
        "        except OSError: pass\n"
        "print(json.dumps(found))"
    )

    async def hunt() -> str:
        uuid = walls.app["uuid"]
        hunting = asyncio.ensure_future(
            walls.node.output(uuid, "python3", "-c", hunter, user="root")
        )
        while not hunting.done():
            await walls.node.output(uuid, "/proc/self/exe", "--version")
        return (await hunting)[1]

    found = json.loads(wait(hunt()).splitlines()[-1])
    assert "opened" not in [end for name, end in found.items() if "memfd" not in name]
    after = (hashlib.sha256(runc.read_bytes()).hexdigest(), runc.stat().st_mtime_ns)
    assert after == before


def test_nothing_can_be_typed_into_the_callers_terminal(walls: Walls) -> None:
    """An operator's own terminal as standard input: a zone gets a pipe of the runtime instead."""
    master, terminal = os.openpty()
    shell = subprocess.Popen(
        ["sh", "-c", "read -r answer"], stdin=terminal, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    try:
        typing = (
            "import fcntl, json, sys\n"
            "found = []\n"
            f"for request, word in (({termios.TIOCSCTTY}, 1), ({termios.TIOCSTI}, b'x')):\n"
            "    try: fcntl.ioctl(0, request, word); found.append('done')\n"
            "    except OSError as error: found.append(error.strerror)\n"
            "open('/app/typed', 'w').write(json.dumps(found))"
        )
        null = os.open(os.devnull, os.O_RDWR)
        status = wait(
            walls.node.client.exec(
                walls.app["uuid"], ["python3", "-c", typing],
                stdin=terminal, stdout=null, stderr=null,
            )
        )  # fmt: skip
        assert status.code == 0
        found = json.loads(walls.run(walls.app["uuid"], "cat", "/app/typed")[1])
        assert found == ["Inappropriate ioctl for device"] * 2
        assert stat.S_ISCHR(os.fstat(terminal).st_mode)
        assert fcntl.ioctl(terminal, termios.FIONREAD, bytes(4)) == bytes(4)
    finally:
        shell.kill()
        shell.wait(10)
        os.close(master)
        os.close(terminal)


def test_the_pool_is_closed_and_honours_neither_setuid_nor_devices(walls: Walls) -> None:
    settings = walls.node.settings
    assert settings.pool_mount.stat().st_mode & 0o777 == 0o700
    line = next(
        line.split()
        for line in Path("/proc/mounts").read_text().splitlines()
        if line.split()[1] == str(settings.pool_mount)
    )
    assert {"nosuid", "nodev"} <= set(line[3].split(","))
    assert (settings.machines_run / walls.app["uuid"] / "bundle").stat().st_mode & 0o777 == 0o700


def test_no_other_user_of_the_host_walks_a_zones_files(walls: Walls) -> None:
    folder = walls.node.settings.machines_run / walls.app["uuid"]
    for place in (folder / "tree", folder / "tree/root", folder / "tree/root/app"):
        assert place.is_dir()
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "ls", str(place)]
        refused = subprocess.run(argv, capture_output=True, text=True, timeout=10)
        assert refused.returncode != 0
        assert "Permission denied" in refused.stderr


def test_neighbours_and_the_hosts_files_are_not_to_be_read(walls: Walls) -> None:
    settings, other = walls.node.settings, walls.neighbour["uuid"]
    for zone in (walls.app, walls.capable):
        places = (
            str(settings.pool_mount),
            str(settings.machines_run),
            str(settings.logs),
            f"{settings.machines_run}/{other}/tree/root/app",
            f"/proc/1/root/{settings.state}",
            f"/proc/{walls.neighbour['pid']}/root",
            "/etc/shadow",
            "/root/.ssh",
        )
        script = f'for place in {" ".join(places)}; do ls "$place" && echo "FOUND $place"; done'
        _, text = walls.run(zone["uuid"], "sh", "-c", script, user="root", working_directory="/")
        assert "FOUND" not in text
