"""The platform as an operator has it: up, down, adopted, installed, removed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paas.supervisor.supervise import READY_TIMEOUT_S
from tests.acceptance.developer import PROBE, Developer
from tests.acceptance.installation import Installation, run, until
from tests.acceptance.visitors import Visitors
from tests.processes import has_ended

Other = Callable[..., Installation]


def test_machines_go_on_when_the_platform_stops_and_the_next_start_adopts_them(
    app: Developer, platform: Installation
) -> None:
    app.paas("ps:scale", "web=2")
    before = pids(app)
    pid = platform.supervisor()
    os.kill(pid, signal.SIGTERM)
    until(lambda: has_ended(pid), 40)
    for module in ("paas.control", "paas.node.server", "router.keeper", "router.worker"):
        assert platform.pids(module) == [], module
    assert not any(has_ended(pid) for pid in before.values())
    platform.up()
    assert app.get().text == "one"
    assert pids(app) == before
    app.release("two")
    assert app.get().text == "two"


def pids(app: Developer) -> dict[str, int]:
    machines = {name: app.installation.machine(app.app, name) for name in ("web.1", "web.2")}
    return {name: machine["pid"] for name, machine in machines.items()}


def test_down_stops_everything_and_up_brings_the_apps_back(
    app: Developer, platform: Installation
) -> None:
    app.paas("config:set", "GREETING=kept")
    machine = platform.machine(app.app)
    platform.paas("down", timeout_s=90)
    try:
        assert has_ended(machine["pid"])
        cgroups = Path("/sys/fs/cgroup").glob(f"*/{platform.settings.installation}/**/cgroup.procs")
        assert not [path for path in cgroups if path.read_text().strip()]
        refused = platform.paas("ps", "--app", app.app, check=False)
        assert refused.status == 5
        assert "paas up" in refused.err
    finally:
        platform.up()
    until(lambda: answer(app) == "one kept", 30, lambda: answer(app))
    app.release("two")
    assert app.get().text == "two kept"


def answer(app: Developer) -> str:
    return app.get(timeout_s=40).text


def test_visitors_wait_while_apps_boot_after_down_and_up(
    app: Developer, platform: Installation
) -> None:
    """Two instances that take their time; one of them had crashed before."""
    path = app.folder / "server.js"
    listening = "server.listen(process.env.PORT);"
    late = f"setTimeout(() => {listening[:-1]}, 2000);"
    path.write_text(path.read_text().replace(listening, late))
    app.release("slow")
    app.paas("ps:scale", "web=2")
    app.get("/exit")
    until(lambda: answer(app) == "slow", 30)
    platform.paas("down", timeout_s=90)
    with Visitors(platform.settings.router_port, f"{app.app}.localhost") as visitors:
        platform.up()
        until(lambda: answer(app) == "slow", 30)
    assert visitors.statuses
    assert set(visitors.statuses) == {200}, visitors.told


def test_apps_come_back_when_their_processes_were_killed_while_nothing_ran(
    app: Developer, platform: Installation
) -> None:
    """As after a loss of power, but for the mounts."""
    machine = platform.machine(app.app)
    pid = platform.supervisor()
    os.kill(pid, signal.SIGTERM)
    until(lambda: has_ended(pid), 40)
    os.kill(machine["pid"], signal.SIGKILL)
    platform.up()
    until(lambda: answer(app) == "one", 30, lambda: answer(app))
    assert platform.machine(app.app)["uuid"] == machine["uuid"]


SERVICES = ("paas.node.server", "router.keeper", "router.worker", "paas.control")


def test_a_killed_supervisor_is_replaced_and_nothing_else_notices(
    app: Developer, platform: Installation
) -> None:
    machine = platform.machine(app.app)["pid"]
    before = {module: platform.pids(module) for module in SERVICES}
    for _ in range(2):
        pid = platform.supervisor()
        os.kill(pid, signal.SIGKILL)
        platform.supervisor_after(pid)
    assert {module: platform.pids(module) for module in SERVICES} == before
    assert platform.machine(app.app)["pid"] == machine
    app.release("two")
    assert app.get().text == "two"


def test_what_a_killed_supervisor_left_is_looked_after_by_the_next(
    app: Developer, platform: Installation
) -> None:
    pid = platform.supervisor()
    os.kill(pid, signal.SIGKILL)
    platform.supervisor_after(pid)
    platform.kill("paas.control", "router.keeper")
    assert app.get().text == "one"
    holder = platform.pid("paas.supervisor.holder")
    os.kill(holder, signal.SIGKILL)
    until(lambda: platform.pids("paas.supervisor.holder") not in ([], [holder]), 30)
    pid = platform.supervisor()
    os.kill(pid, signal.SIGKILL)
    platform.supervisor_after(pid)
    assert app.get().text == "one"


def test_down_stops_a_platform_whose_supervisor_was_just_killed(platform: Installation) -> None:
    os.kill(platform.supervisor(), signal.SIGKILL)
    try:
        done = platform.paas("down", timeout_s=90)
        assert "Stopped" in done.text
        for module in (*SERVICES, "paas.supervisor.holder"):
            assert platform.pids(module) == [], module
    finally:
        platform.up()


def test_killed_together_supervisor_and_holder_leave_all_that_the_next_goes_on_with(
    app: Developer, platform: Installation
) -> None:
    machine = platform.machine(app.app)["pid"]
    before = {module: platform.pids(module) for module in SERVICES}
    pids = [platform.supervisor(), platform.pid("paas.supervisor.holder")]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, number)
    until(lambda: all(map(has_ended, pids)), 40)
    assert app.get().text == "one"
    platform.up()
    assert app.get().text == "one"
    assert platform.machine(app.app)["pid"] == machine
    assert {module: platform.pids(module) for module in SERVICES} == before


def test_nobody_gets_controls_port_while_control_is_away_and_a_push_waits(
    app: Developer, platform: Installation
) -> None:
    control = platform.pid("paas.control")
    supervisor = platform.supervisor()
    os.kill(supervisor, signal.SIGSTOP)  # nothing starts control again until it goes on
    try:
        os.kill(control, signal.SIGKILL)
        until(lambda: has_ended(control), 30)
        taken = run(["python3", "-c", TAKE, str(platform.settings.control_port)], os.environ)
        assert taken.out.split() == ["98"] * 3, taken.text
        app.version("two")
        app.commit()
        with subprocess.Popen(
            ["git", "push", "paas", "main"],
            cwd=app.folder,
            env=platform.developer,
            stderr=subprocess.PIPE,
            text=True,
        ) as push:
            waits(platform.settings.control_port)
            assert push.poll() is None
            os.kill(supervisor, signal.SIGCONT)
            _, said = push.communicate(timeout=120)
        assert push.returncode == 0, said
    finally:
        os.kill(supervisor, signal.SIGCONT)
    assert app.get().text == "two"


TAKE = """
import socket, sys
for address in ("127.0.0.1", "0.0.0.0", "127.0.0.1"):
    with socket.socket() as item:
        item.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        item.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            item.bind((address, int(sys.argv[1])))
            item.listen()
            print("taken")
        except OSError as error:
            print(error.errno)
"""


def waits(port: int) -> None:
    """Until a connection stands in the queue of the port: ss(8), Recv-Q of a listening socket."""
    query = ["ss", "--listening", "--tcp", "--numeric", "--no-header", f"sport = :{port}"]
    until(
        lambda: any(line.split()[1] != "0" for line in run(query, os.environ).out.splitlines()), 60
    )


def test_up_says_that_it_runs_already(platform: Installation) -> None:
    again = platform.paas("up", "-d", check=False)
    assert again.status != 0
    assert platform.settings.installation in again.err or "runs" in again.err, again.err
    assert "Traceback" not in again.err
    platform.paas("up", "-d", "--replace")
    assert platform.serves()


@pytest.mark.parametrize("which", ["router_port", "control_port"])
def test_a_taken_port_is_named_with_who_has_it_and_the_remedy(
    platform: Installation, other_installation: Other, which: str
) -> None:
    taken = getattr(platform.settings, which)
    other = other_installation(**{f"PAAS_{which.upper()}": str(taken)})
    refused = other.paas("up", "-d", check=False, timeout_s=90)
    assert refused.status != 0
    assert str(taken) in refused.err
    assert f"PAAS_{which.upper()}=" in refused.err, refused.err
    assert "process" in refused.err
    assert "Traceback" not in refused.err
    assert not other.settings.pool_file.exists(), "something was made before the port was tried"


def test_doctor_finds_nothing_wrong_and_says_what_it_tried(platform: Installation) -> None:
    done = platform.paas("doctor", "--json", timeout_s=90)
    levels = {item["name"]: item["level"] for item in json.loads(done.out)}
    assert "problem" not in levels.values()
    assert levels["egress"] == "ok" or levels["registry"] != "ok"


def test_under_systemd_the_sockets_are_given_to_keep_and_taken_back(
    other_installation: Other, tmp_path: Path
) -> None:
    """As systemd does it (sd_notify(3), sd_listen_fds(3)), which does not run here."""
    other = other_installation()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(200)
        kept: list[tuple[str, int]] = []
        try:
            first = start_as_a_unit(other, tmp_path, [])
            kept = given_until_ready(systemd)
            assert sorted({name for name, _ in kept}) == ["control", "http"]
            assert other.serves() and other.pids("paas.supervisor.holder") == []
            before = {module: other.pids(module) for module in SERVICES}
            first.kill()
            first.wait(30)
            socket.create_connection(("127.0.0.1", other.settings.router_port), 30).close()
            second = start_as_a_unit(other, tmp_path, kept)
            for _, descriptor in given_until_ready(systemd):
                os.close(descriptor)
            assert {module: other.pids(module) for module in SERVICES} == before
            second.terminate()
            assert second.wait(60) == 0
        finally:
            for _, descriptor in kept:
                os.close(descriptor)


def start_as_a_unit(
    installation: Installation, folder: Path, kept: list[tuple[str, int]]
) -> "subprocess.Popen[bytes]":
    """`paas up` with what systemd sets: where to notify, and the descriptors that it kept."""
    place = "import os, sys\nfrom paas.host import handed\n"
    place += "numbers = [int(word) for word in sys.argv[1].split(',') if word]\n"
    place += "given = handed.give(numbers, sys.argv[2]) if numbers else {}\n"
    place += "os.execve(sys.argv[3], sys.argv[3:], os.environ | given)"
    numbers = [number for _, number in kept]
    names = ":".join(name for name, _ in kept)
    paas = str(Path(sys.prefix) / "bin" / "paas")
    words = [sys.executable, "-c", place, ",".join(map(str, numbers)), names, paas, "up"]
    environment = {**installation.environment, "NOTIFY_SOCKET": str(folder / "notify")}
    return subprocess.Popen(words, env=environment, pass_fds=numbers, cwd=Path(__file__).parents[2])


def given_until_ready(systemd: socket.socket) -> list[tuple[str, int]]:
    """It asks for time of its own, however long the checks of the host took."""
    found = []
    asked_s = 0.0
    while True:
        message, descriptors, _, _ = socket.recv_fds(systemd, 1000, 4)
        name, _, value = message.decode().partition("=")
        found += [(value.partition("FDNAME=")[2], each) for each in descriptors]
        if name == "EXTEND_TIMEOUT_USEC":
            asked_s = int(value) / 1e6
        if message == b"READY=1":
            assert asked_s > READY_TIMEOUT_S
            return found


def test_install_writes_units_that_systemd_accepts(platform: Installation, tmp_path: Path) -> None:
    done = platform.paas("install", "--root", str(tmp_path))
    units = sorted((tmp_path / "etc/systemd/system").iterdir())
    assert units, done.text
    assert platform.settings.installation in units[0].name
    text = units[0].read_text()
    assert "ExecStart=" in text and str(Path(sys.prefix) / "bin" / "paas") in text
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here; the units were written, not verified")
    verified = subprocess.run(
        [analyze, "verify", *map(str, units)], capture_output=True, text=True, timeout=60
    )
    assert verified.returncode == 0, verified.stderr


def test_a_second_installation_stands_beside_the_first_until_its_name_is_confirmed(
    app: Developer, platform: Installation, other_installation: Other, tmp_path: Path
) -> None:
    other = other_installation()
    other.up()
    assert other.json("apps") == [] and other.machines() == []
    developer = Developer(other, "gone", tmp_path / "gone")
    developer.folder.mkdir()
    developer.git("init", "--quiet", "--initial-branch=main")
    other.paas("create", "gone", folder=developer.folder)
    developer.copy(PROBE)
    developer.release("beside")
    assert developer.get().text == "beside"
    assert other.paas("uninstall", "--confirm", "another", check=False).status != 0
    assert developer.get().text == "beside"
    removed = other.uninstall()
    assert removed.status == 0, removed.text
    assert other.leftovers() == []
    assert app.get().text == "one"
    assert "0 problems" in platform.paas("doctor").out


def test_commands_answer_from_any_folder(platform: Installation) -> None:
    done = run(
        [str(Path(sys.prefix) / "bin" / "paas"), "apps"], platform.environment, folder=Path("/")
    )
    assert done.status == 0, done
