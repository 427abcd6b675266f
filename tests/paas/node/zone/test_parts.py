"""The pure parts of a zone: reports, cgroup limits, environment, files, ports, configuration."""

import json
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.node.zone import ports, reports
from paas.node.zone.bundle import environment, files, oci, seccomp


@given(st.lists(st.binary(max_size=700)), st.integers(0, 3))
def test_any_bytes_on_descriptor_4_give_known_reports_only(chunks: list[bytes], now: int) -> None:
    reader = reports.Reader()
    for chunk in chunks:
        for report in reader.feed(chunk + b'\n{"type":"listening","x":1}\n', now):
            assert report in ({"type": "listening"},) or report["type"] == "measures"
    assert len(reader._rest) <= reports.LINE_BYTES_MAX


def test_a_report_may_come_in_pieces_and_a_flood_is_dropped() -> None:
    reader = reports.Reader()
    assert list(reader.feed(b'{"type":"list', 1)) == []
    assert list(reader.feed(b'ening"}\n', 1)) == [{"type": "listening"}]
    flood = b'{"type":"listening"}\n' * 1000
    assert len(list(reader.feed(flood, 2))) <= 20


@pytest.mark.parametrize("value", ["1e400", "-1", "true", '"a"', "NaN", "null"])
def test_measures_that_are_no_numbers_are_dropped(value: str) -> None:
    line = f'{{"type":"measures","heap_bytes":{value}}}'.encode()
    assert reports.parse(line) == {"type": "measures", "measures": {}}


def test_nodejs_gets_its_heap_from_the_package_and_the_app_has_the_last_word() -> None:
    made = environment.compose(
        ["NODE_OPTIONS=--max-old-space-size=99", "A=b=c"],
        uid=1000,
        memory_mib=256,
        kind="machines",
        processors=2,
        port=5000,
        descriptors="1:2",
    )
    options = made["NODE_OPTIONS"].split()
    assert options[0] == "--require=/opt/smartplatform/preload.cjs"
    assert options[1] == "--max-old-space-size=158"
    assert options[-1] == "--max-old-space-size=99"
    assert (made["A"], made["PORT"], made["HOME"]) == ("b=c", "5000", "/app")
    assert made["SMARTPLATFORM_DESCRIPTORS"] == "1:2:5000"
    assert made["SMARTPLATFORM_SIZE"] == f"{256 << 20}:2"


@pytest.mark.parametrize(
    ("memory_mib", "cpu_cap", "present", "count"),
    [
        (128, 0, 64, 1),
        (512, 0, 64, 1),
        (1024, 0, 64, 2),
        (2048, 0, 64, 4),
        (65536, 0, 64, 64),
        (65536, 150, 64, 2),
        (65536, 10, 64, 1),
        (4096, 0, 2, 2),
    ],
)
def test_programs_count_on_as_many_processors_as_they_have_memory_for(
    memory_mib: int, cpu_cap: int, present: int, count: int
) -> None:
    assert environment.processors(memory_mib, cpu_cap, present) == count


def test_a_further_process_keeps_the_zones_options_before_its_own() -> None:
    zone = {"NODE_OPTIONS": "--require=/x --max-old-space-size=99", "A": "1"}
    more = environment.extended(zone, {"NODE_OPTIONS": "--max-old-space-size=7", "A": "2"})
    assert more == {"NODE_OPTIONS": f"{zone['NODE_OPTIONS']} --max-old-space-size=7", "A": "2"}
    assert environment.extended(zone, {"B": "3"}) == {**zone, "B": "3"}


def test_builds_have_no_preload_and_no_small_semi_space() -> None:
    options = environment.nodejs_options(512, small=False, preload=False)
    assert options == ["--max-old-space-size=384"]


@pytest.mark.parametrize(
    ("nodejs", "told"), [("16.20.2", False), ("18.20.8", True), ("24.19.0", True), ("", True)]
)
def test_a_nodejs_is_told_only_what_it_knows(nodejs: str, told: bool) -> None:
    made = environment.compose([], uid=1000, memory_mib=512, kind="machines", nodejs=nodejs)
    assert ("--max-semi-space-size=4" in made["NODE_OPTIONS"].split()) is told


def test_loopback_resolvers_are_replaced_by_their_upstreams(tmp_path: Path) -> None:
    stub, upstream = tmp_path / "stub", tmp_path / "upstream"
    stub.write_text("nameserver 127.0.0.53\noptions edns0\n")
    upstream.write_text("nameserver fe80::1%eth0\nnameserver 10.1.2.3\nnameserver nonsense\n")
    assert files.upstream_resolvers([stub, upstream]) == [IPv4Address("10.1.2.3")]
    assert files.search_line([stub]) == "options edns0\n"


def test_the_ca_bundle_has_each_certificate_once(tmp_path: Path) -> None:
    one = "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n"
    two = one.replace("AAA", "BBB")
    (tmp_path / "a").write_text(one)
    (tmp_path / "b").write_text(one + two)
    files.write_bundle(tmp_path / "c", [tmp_path / "a", tmp_path / "b", tmp_path / "none"])
    assert (tmp_path / "c").read_text().count("BEGIN") == 2


def test_only_sockets_that_listen_count_with_their_addresses() -> None:
    header = "  sl  local_address rem_address   st\n"
    everywhere = "   0: 00000000:1388 00000000:0000 0A 0 0 0\n"
    connected = "   1: 0100007F:1388 0100007F:9999 01 0 0 0\n"
    loopback = "   2: 0100007F:0BB8 00000000:0000 0A 0 0 0\n"
    loopback6 = f"   3: {'0' * 24}01000000:1F90 {'0' * 32}:0000 0A 0 0 0\n"
    found = ports.parse(header + connected + everywhere + loopback)
    assert [str(item) for item in found] == ["0.0.0.0:5000", "127.0.0.1:3000"]
    assert [str(item) for item in ports.parse(header + loopback6)] == ["[::1]:8080"]
    assert ports.parse(header + connected) == []


def test_an_instance_has_no_capability_and_no_new_privileges() -> None:
    zone = oci.Zone(
        uuid="u",
        hostname="web-1",
        root=Path("/run/x/root"),
        command=["node"],
        environment=["A=b"],
        working_directory="/app",
        uid=1000,
        gid=1000,
        first_id=0x10000000,
        cgroup="/inst/machines/u/zone",
        binds=[oci.Bind(Path("/run/x/usr"), "/usr", executable=True)],
        tmpfs_bytes=1,
        shm_bytes=1,
        open_files=1024,
    )
    made = json.loads(json.dumps(oci.configuration(zone)))
    assert made["process"]["noNewPrivileges"] is True
    assert not any(made["process"]["capabilities"].values())
    assert made["linux"]["uidMappings"] == [{"containerID": 0, "hostID": 0x10000000, "size": 65536}]
    kinds = {item["type"] for item in made["linux"]["namespaces"]}
    assert kinds == {"pid", "network", "ipc", "uts", "mount", "user", "cgroup"}
    usr = next(item for item in made["mounts"] if item["destination"] == "/usr")
    assert {"ro", "nosuid", "nodev"} <= set(usr["options"])


def test_seccomp_leaves_out_what_opens_the_kernel() -> None:
    profile = seccomp.profile("x86_64")
    allowed = {
        name
        for rule in profile["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW" and not rule.get("args")
        for name in rule["names"]
    }
    forbidden = "bpf keyctl add_key io_uring_setup unshare setns mount clone clone3 userfaultfd"
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert not allowed & set(forbidden.split())


@pytest.mark.parametrize("option", [*range(128), 13 | 1 << 32, (1 << 64) - 1])
@pytest.mark.parametrize("level", [0, 1, 6, 41, 99, 1 | 1 << 32, 0xFFFFFFFF00000001])
def test_without_lingering_no_spelling_of_that_option_reaches_the_kernel(
    level: int, option: int
) -> None:
    """The kernel takes the lower 32 bits of both arguments, the filter all 64."""
    found = actions(seccomp.profile("x86_64", lingers=False), "setsockopt", [3, level, option])
    known = level in (0, 6, 41) or (level == 1 and option < 128)
    assert found == ({"SCMP_ACT_ALLOW"} if known and (level, option) != (1, 13) else
                     {0} if known else set())  # fmt: skip
    assert actions(seccomp.profile("x86_64"), "setsockopt", [3, level, option]) == {
        "SCMP_ACT_ALLOW"
    }


@pytest.mark.parametrize("above", [0, 1 << 32, 0xFFFFFFFF << 32])
def test_requests_to_btrfs_are_refused_and_no_others(above: int) -> None:
    """By the byte of their type, whatever else is in the number: the kernel takes 32 bits of it."""
    profile = seccomp.profile("x86_64")
    for kind in range(256):
        for rest in (0x0000_0009, 0x5000_000E, 0xC018_0036, 0xFFFF_00FF):
            found = actions(profile, "ioctl", [3, above | rest | kind << 8])
            assert found == ({95} if kind == 0x94 else {"SCMP_ACT_ALLOW"}), hex(kind)


def actions(profile: dict[str, Any], name: str, arguments: list[int]) -> set[Any]:
    """What the rules that fit a call say: an action, or the number that it answers."""
    fits = {
        "SCMP_CMP_EQ": lambda argument, rule: argument == rule["value"],
        "SCMP_CMP_LT": lambda argument, rule: argument < rule["value"],
        "SCMP_CMP_MASKED_EQ": lambda argument, rule: argument & rule["value"] == rule["valueTwo"],
    }
    return {
        rule.get("errnoRet", rule["action"])
        for rule in profile["syscalls"]
        if name in rule["names"]
        and all(fits[arg["op"]](arguments[arg["index"]], arg) for arg in rule.get("args", ()))
    }
