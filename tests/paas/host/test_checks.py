"""The checks of the host: each names what is wrong and what to do."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.cli import main
from paas.host import checks
from paas.host.checks import kernel, network, resources, software
from paas.host.finding import Finding, ok, problem
from paas.host.programs import Answer
from paas.node.network import lan
from paas.settings import Settings

SETTINGS = Settings(installation="test-checks", router_port=0, control_port=0)


def test_the_checks_are_run_one_after_the_other_and_chosen_by_name() -> None:
    names = [check.__name__ for check in (*checks.FATAL, *checks.OTHERS)]
    assert len(set(names)) == len(names)
    assert [f.name for f in checks.run(SETTINGS, "user")] == ["users", "user-namespaces"]


def test_a_check_that_breaks_is_a_problem_and_hides_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(settings: Settings) -> Finding:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(checks, "FATAL", (broken, lambda settings: ok("fine", "fine")))
    assert [problem.name for problem in checks.fatal(SETTINGS)] == ["broken"]


def test_a_port_that_is_taken_is_named_with_its_process() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        found = resources.control_port(Settings(installation="test-checks", control_port=port))
    assert found.level == "problem"
    assert f"port {port} is taken by " in found.text
    assert f"(process {os.getpid()})" in found.text
    assert f"PAAS_CONTROL_PORT={port + 10} paas up" in found.remedy


ROUTES = """\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
%s
"""


@pytest.mark.parametrize(
    ("route", "level", "words"),
    [
        ("eth0\t0000A8C0\t0\t1\t0\t0\t0\t0000FFFF\t0\t0\t0", "ok", "10.77.0.0/16"),
        ("pb-x\t00004D0A\t0\t1\t0\t0\t0\t0000FFFF\t0\t0\t0", "problem", "that of pb-x"),
        ("BRIDGE\t00004D0A\t0\t1\t0\t0\t0\t0000FFFF\t0\t0\t0", "ok", "10.77.0.0/16"),
        ("tun0\t0000000A\t0\t1\t0\t0\t0\t000000FF\t0\t0\t0", "warning", "10.0.0.0/8 of tun0"),
        ("eth1\t00054D0A\t0\t1\t0\t0\t0\t00FFFFFF\t0\t0\t0", "warning", "10.77.5.0/24 of eth1"),
    ],
)
def test_a_network_that_this_host_has_already_is_no_network_for_machines(
    tmp_path: Path, route: str, level: str, words: str
) -> None:
    settings = Settings(installation="test-checks", subnet="10.77.0.0/16")
    listing = tmp_path / "route"
    listing.write_text(ROUTES % route.replace("BRIDGE", settings.bridge))
    found = network.subnet(settings, listing)
    assert found.level == level
    assert words in found.text
    if level == "problem":
        assert """echo 'subnet = "10.64.0.0/16"' >> /etc/smartplatform/""" in found.remedy


def test_a_subnet_that_is_none_is_a_problem_in_words() -> None:
    wrong = network.subnet(Settings(installation="test-checks", subnet="10.0.0.1/16"))
    assert wrong.level == "problem"
    assert "subnet is '10.0.0.1/16': " in wrong.text
    small = network.subnet(Settings(installation="test-checks", subnet="10.0.0.0/30"))
    assert "write /24 or a smaller number" in small.text


@pytest.mark.parametrize(
    ("names", "level"), [(["cpu", "memory", "pids"], "ok"), (["cpu", "pids"], "problem")]
)
def test_cgroups_need_their_controllers_in_both_versions(
    tmp_path: Path, names: list[str], level: str
) -> None:
    first, second = tmp_path / "v1", tmp_path / "v2"
    for name in names:
        (first / name).mkdir(parents=True)
    second.mkdir()
    (second / "cgroup.controllers").write_text(" ".join(names))
    assert kernel.cgroups(SETTINGS, first).level == level
    assert kernel.cgroups(SETTINGS, second).level == level


def test_a_container_whose_processes_are_in_its_topmost_cgroup_is_told_what_to_do(
    tmp_path: Path,
) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (tmp_path / "cgroup.subtree_control").write_text("")
    (tmp_path / "cgroup.procs").write_text("1\n7\n")
    assert kernel.cgroups(SETTINGS, tmp_path).level == "ok"
    (tmp_path / "cgroup.type").write_text("domain")
    found = kernel.cgroups(SETTINGS, tmp_path)
    assert found.level == "problem"
    assert f"{tmp_path}/init/cgroup.procs" in found.remedy
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids")
    assert kernel.cgroups(SETTINGS, tmp_path).level == "ok"


def test_missing_programs_are_named_with_their_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(software, "SYSTEM_PATH", str(tmp_path))
    found = software.programs(SETTINGS)
    assert found.level == "problem"
    assert "btrfs-progs" in found.remedy and "iproute2" in found.remedy


def test_a_file_that_the_platforms_users_can_not_read_is_found(tmp_path: Path) -> None:
    package = tmp_path / "paas"
    package.mkdir()
    (package / "module.py").write_text("")
    for path, mode in ((tmp_path, 0o755), (package, 0o755), (package / "module.py", 0o644)):
        path.chmod(mode)
    assert software._not_for_others([tmp_path, package]) is None
    (package / "module.py").chmod(0o600)
    assert software._not_for_others([tmp_path, package]) == package / "module.py"
    tmp_path.chmod(0o700)
    assert software._not_for_others([tmp_path, package]) == tmp_path


def test_a_foreign_firewall_that_drops_is_told_from_one_that_lets_us_pass() -> None:
    chain = {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward"}
    ruleset = [
        {"chain": {**chain, "policy": "drop"}},
        {"chain": {**chain, "table": "paas_abcdef", "policy": "drop"}},
        {"chain": {**chain, "name": "DOCKER", "policy": "accept"}},
        {"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "comment": "paas_123456"}},
    ]
    assert network._dropping_chains(ruleset) == {"ip filter FORWARD": {"paas_123456"}}


def test_resolvers_on_the_loopback_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = tmp_path / "stub"
    stub.write_text("# nameserver 9.9.9.9\nnameserver 127.0.0.53\nnameserver nonsense\n")
    monkeypatch.setattr(network, "RESOLVER_FILES", (str(stub),))
    assert "only DNS resolver is this host's loopback" in network.resolvers(SETTINGS).text
    stub.unlink()
    assert network.resolvers(SETTINGS).text == f"{stub} names no DNS resolver"
    stub.write_text("nameserver 127.0.0.53\nnameserver 10.1.1.1\n")
    assert network.resolvers(SETTINGS).text == f"10.1.1.1 ({stub})"


@pytest.mark.parametrize(
    ("free_blocks", "said"), [(10_000, "0.0 GiB free"), (100, "is full (400 KiB free)")]
)
def test_a_nearly_full_disk_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, free_blocks: int, said: str
) -> None:
    full = os.statvfs_result((4096, 4096, 10**7, free_blocks, free_blocks, 10, 10, 10, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    found = resources.disk(SETTINGS)
    assert found.level == "problem"
    assert said in found.text


def test_a_wrong_clock_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources.time, "time", lambda: 0.0)
    assert resources.clock(SETTINGS).level == "problem"


@pytest.fixture
def two_findings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def findings(settings: Settings, only: str) -> list[Finding]:
        return [ok("disk", "plenty"), problem("root", "no root", "sudo it\nor log in")]

    monkeypatch.setattr(checks, "run", findings)
    yield


@pytest.mark.usefixtures("two_findings")
def test_doctor_prints_a_line_each_and_exits_1_on_problems(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out == (
        "ok       disk: plenty\n"
        "problem  root: no root\n"
        "         sudo it\n"
        "         or log in\n"
        "\n1 problem, 0 warnings\n"
    )
    assert main(["doctor", "--json"]) == 1
    assert '"level": "problem"' in capsys.readouterr().out


def test_the_registry_is_asked_with_npm_from_the_wheel() -> None:
    command = software.npm_command()
    assert command is not None
    assert Path(command[0]).is_relative_to(sys.prefix)


@pytest.mark.parametrize(
    ("number", "holes"),
    [
        ((1, 1, 5), True),
        ((1, 2, 7), True),
        ((1, 2, 8), False),
        ((1, 3, 0), True),
        ((1, 3, 3), False),
        ((1, 4, 0), False),
        ((2, 0, 0), False),
    ],
)
def test_a_runc_with_known_holes_is_told_from_one_without(
    number: tuple[int, int, int], holes: bool
) -> None:
    assert software.has_known_holes(number) is holes


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ("runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\n", "warning"),
        ("runc version 1.3.3\n", "ok"),
        ("", "warning"),
    ],
)
def test_doctor_warns_of_a_runc_with_known_holes(
    said: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(software, "run", lambda command: Answer(0, said, ""))
    finding = software.runc_holes(SETTINGS)
    assert finding.level == level
    assert finding.level == "ok" or finding.remedy


def test_doctor_refuses_a_name_that_no_check_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--only", "no-such-check"]) == 2
    assert "No check begins with 'no-such-check'" in capsys.readouterr().err


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_rules_need_nothing_of_etc_which_a_minimal_host_lacks() -> None:
    """No protocols, no services: nft(8) looks such names up there."""
    hidden = "mount -t tmpfs none /etc && nft --check --file -"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", hidden],
        input=lan.trial(Settings()), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert kernel.nftables(Settings()).level == "ok"


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_rules_that_this_host_can_not_load_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lan, "trial", lambda _: "add rule inet nowhere x meta l4proto none")
    found = kernel.nftables(Settings())
    assert found.level == "problem" and "can't be loaded" in found.text


def test_a_host_too_slow_to_try_the_rules_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "run", lambda *_, **__: Answer(124, "", "nft took over 60 s"))
    assert kernel.nftables(Settings()).level == "warning"
