"""What a zone sees around itself: ids, capabilities, mounts, devices, /proc and /sys, limits."""

from typing import Any

import pytest

from tests.paas.node.security.conftest import Walls, source

pytestmark = pytest.mark.root

DOCKER_MASKED = """
/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats
/proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats
/sys/devices/virtual/powercap /sys/firmware
"""
OURS_MASKED = """
/proc/kmsg /proc/kallsyms /proc/modules /proc/cmdline /proc/sysrq-trigger
/sys/kernel /sys/fs /sys/module /sys/block /sys/bus /sys/dev
"""
WRITES = """
/proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe
/proc/sys/vm/drop_caches /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/all/rp_filter
/proc/sys/fs/suid_dumpable /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
/proc/self/loginuid /proc/irq/default_smp_affinity /proc/fs/nfsd /proc/bus/pci
/sys/class/net/eth0/mtu /sys/devices/system/cpu/cpu1/online /sys/kernel/uevent_helper
/etc/resolv.conf /etc/hosts /etc/hostname /etc/ssl/certs/ca-certificates.crt
/usr/bin/env /opt/node/bin/node /dev/kmsg /dev/mem
"""
REFUSALS = {"EACCES", "EPERM", "EROFS", "ENOENT", "EISDIR", "ETXTBSY"}
DEVICES = {"full", "null", "ptmx", "random", "tty", "urandom", "zero"}
LINKS_AND_MOUNTS = {"fd", "mqueue", "pts", "shm", "stderr", "stdin", "stdout"}
HARMLESS = {f"/dev/{name}" for name in DEVICES - {"ptmx"}}
DOCKER_CAPABILITIES = 0xA80425FB


@pytest.fixture(scope="module")
def seen(walls: Walls) -> dict[str, Any]:
    words = (DOCKER_MASKED + OURS_MASKED, WRITES)
    program = source("surroundings")
    at = {"working_directory": "/"}
    return {
        "app": walls.python(walls.app["uuid"], program, *words),
        "root": walls.python(walls.app["uuid"], program, *words, user="root"),
        "capable": walls.python(walls.capable["uuid"], program, *words, user="root", **at),
        "neighbour": walls.python(walls.neighbour["uuid"], program, *words),
    }


@pytest.mark.parametrize("who", ["app", "root", "capable"])
def test_proc_and_sys_show_at_most_what_docker_shows(seen: dict[str, Any], who: str) -> None:
    assert [path for path, masked in seen[who]["masked"].items() if not masked] == []


@pytest.mark.parametrize("who", ["app", "root", "capable"])
def test_settings_of_the_kernel_and_of_the_zone_can_not_be_written(
    seen: dict[str, Any], who: str
) -> None:
    written = {path: word for path, word in seen[who]["writes"].items() if word not in REFUSALS}
    # Its own /usr; and /proc lets open what it then refuses to be written (user_namespaces(7)).
    own = {"/usr/bin/env"} if who == "capable" else set()
    maps = {f"/proc/self/{name}" for name in ("uid_map", "gid_map", "setgroups", "loginuid")}
    assert set(written) - own - maps == set()


def test_a_zones_ids_are_mapped_once_and_for_good(walls: Walls) -> None:
    for name, text in (("uid_map", "0 0 1"), ("gid_map", "0 0 1"), ("setgroups", "allow")):
        for zone in (walls.app, walls.capable):
            code, _ = walls.run(
                zone["uuid"],
                *("sh", "-c", f"echo {text} > /proc/self/{name}"),
                user="root",
                working_directory="/",
            )
            changed = walls.run(
                zone["uuid"], "cat", f"/proc/self/{name}", user="root", working_directory="/"
            )[1]
            assert code != 0 or changed.split() == text.split() == ["allow"]


def test_an_instance_writes_to_its_own_places_only(seen: dict[str, Any]) -> None:
    places = {"/app", "/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/dev/pts/ptmx"}
    assert set(seen["app"]["writable"]) == places | HARMLESS


@pytest.mark.parametrize("who", ["app", "root", "capable", "neighbour"])
def test_only_harmless_devices_are_there(seen: dict[str, Any], who: str) -> None:
    assert set(seen[who]["devices"]) == DEVICES | LINKS_AND_MOUNTS


@pytest.mark.parametrize(
    ("who", "capabilities"),
    [("app", 0), ("root", 0), ("neighbour", 0), ("capable", DOCKER_CAPABILITIES)],
)
def test_capabilities_privileges_and_the_filter(
    seen: dict[str, Any], who: str, capabilities: int
) -> None:
    status = seen[who]["status"]
    assert int(status["CapBnd"], 16) == capabilities
    assert {int(status[f"Cap{kind}"], 16) for kind in ("Eff", "Prm")} == {capabilities}
    assert {int(status[f"Cap{kind}"], 16) for kind in ("Inh", "Amb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert status["Groups"].split() == []


def test_every_zone_has_a_range_of_ids_of_its_own(seen: dict[str, Any]) -> None:
    ranges = []
    for who in ("app", "capable", "neighbour"):
        assert seen[who]["uid_map"] == seen[who]["gid_map"]
        inside, outside, count = map(int, seen[who]["uid_map"])
        assert (inside, count) == (0, 65536)
        ranges.append(range(outside, outside + count))
    assert min(found.start for found in ranges) > 2**24
    assert all(not set(one[:: 65536 - 1]) & set(other) for one in ranges for other in ranges
               if one != other)  # fmt: skip


def test_mounts_carry_no_setuid_and_no_devices(seen: dict[str, Any]) -> None:
    for who in ("app", "capable"):
        for place, mount in seen[who]["mounts"].items():
            if mount["type"] == "devtmpfs" or place == "/dev" or place.startswith("/dev/pts"):
                continue
            if mount["type"] == "tmpfs" and "ro" in mount["options"]:
                continue  # An empty one over a masked folder.
            assert {"nosuid", "nodev"} <= set(mount["options"]), (place, mount)
    for place in ("/usr", "/opt/node", "/etc/hosts", "/etc/resolv.conf", "/sys", "/proc/sys"):
        assert "ro" in seen["app"]["mounts"][place]["options"], place


def test_memory_file_systems_have_a_size(seen: dict[str, Any], walls: Walls) -> None:
    mounts = seen["app"]["mounts"]
    assert f"size={walls.app['tmpfs'] * 1024}k" in mounts["/tmp"]["super"]
    assert "size=65536k" in mounts["/dev/shm"]["super"]
    assert "size=64k" in mounts["/dev"]["super"]
    assert "max=256" in mounts["/dev/pts"]["super"]


def test_the_hosts_names_and_groups_are_not_shown(seen: dict[str, Any], walls: Walls) -> None:
    for who, zone in (("app", walls.app), ("capable", walls.capable)):
        assert seen[who]["hostname"] == zone["hostname"]
        assert all(line.endswith(":/") for line in seen[who]["cgroup"])
        assert not [m for m in seen[who]["mounts"].values() if m["type"].startswith("cgroup")]
        assert len(seen[who]["processes"]) <= 3
    known = {"HOME", "LANG", "NODE_EXTRA_CA_CERTS", "NODE_OPTIONS", "PATH", "SSL_CERT_FILE", "USER"}
    known |= {"SMARTPLATFORM_SIZE"}
    assert set(seen["app"]["environment"]) <= known


def test_limits_of_a_process(seen: dict[str, Any]) -> None:
    soft, hard = seen["app"]["limits"]["NOFILE"]
    assert soft == hard <= 65536
    assert seen["app"]["limits"]["CORE"] == [0, 0]
    assert seen["app"]["limits"]["MEMLOCK"] == [65536, 65536]
    assert seen["app"]["status"]["SigQ"].endswith("/1024")
