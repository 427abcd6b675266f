"""Launching: what of the host a process sees, which descriptors it gets, and its command."""

import os
import pwd
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from paas.errors import UserError
from paas.host.code import checkout
from paas.node.zone import classes
from paas.settings import Settings
from paas.supervisor import launch

SETTINGS = Settings(installation="test-launch")


def test_an_environment_inside_the_checkout_is_seen_through_it() -> None:
    view = launch.code_view(SETTINGS, Path("/root/main"), Path("/root/main/.venv"))
    code = SETTINGS.run / "code" / "0"
    assert view.binds == {Path("/root/main"): code}
    assert view.translate(Path("/root/main/.venv/bin/python")) == code / ".venv/bin/python"
    assert view.translate(Path("/usr/bin/python3")) == Path("/usr/bin/python3")


def test_two_places_are_bound_side_by_side() -> None:
    view = launch.code_view(SETTINGS, Path("/srv/main"), Path("/srv/main-venv"))
    assert len(view.binds) == 2
    assert view.translate(Path("/srv/main-venv/x")) != view.translate(Path("/srv/main/x"))


def test_the_command_says_user_descriptors_and_module() -> None:
    words = launch.command("nobody", "router.keeper", ["--workers", "1"], (5, 9))
    assert words[:4] == [sys.executable, "-P", "-m", "paas.supervisor.launch"]
    parsed = launch._parse(words[4:])
    assert (parsed.user, parsed.listen_fds) == ("nobody", "5,9")
    assert parsed.command == ["router.keeper", "--workers", "1"]


def test_descriptors_are_placed_without_stepping_on_one_another() -> None:
    code = """
import os, socket, sys
from paas.supervisor import launch
a, b = sorted(int(word) for word in sys.argv[1:])
os.dup2(a, 4); os.dup2(b, 3)   # in the way of one another
launch._place([4, 3])
print([socket.socket(fileno=n).getsockname()[1] for n in (3, 4)])
"""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("", 0)) as other:
        first, second = sorted((one, other), key=lambda item: item.fileno())
        numbers = [str(item.fileno()) for item in (first, second)]
        done = subprocess.run(
            [sys.executable, "-c", code, *numbers],
            pass_fds=[one.fileno(), other.fileno()],
            capture_output=True, text=True, timeout=30, cwd=checkout(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str([item.getsockname()[1] for item in (first, second)])


def test_a_user_that_is_missing_is_named_with_the_remedy() -> None:
    with pytest.raises(UserError, match="paas-no-such does not exist") as caught:
        launch.user_id("paas-no-such")
    assert "script/bootstrap" in caught.value.hint


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it becomes another user")
def test_the_process_is_the_user_alone_and_the_host_sees_no_mount(tmp_path: Path) -> None:
    installation = f"test-launch-{os.getpid()}"
    settings = Settings(installation=installation)
    launch.prepare(settings)
    try:
        done = subprocess.run(
            [*launch.command("nobody", "timeit", [], ())[:-1], "timeit", "-n1", "-r1",
             "import os; print(os.getresuid(), os.getresgid(), os.getgroups(), "
             "open('/proc/self/cgroup').read())"],
            env={"PATH": os.environ["PATH"], "PAAS_INSTALLATION": installation},
            capture_output=True, text=True, timeout=60, cwd=checkout(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        entry = pwd.getpwnam("nobody")
        expected = f"{(entry.pw_uid,) * 3} {(entry.pw_gid,) * 3} []"
        assert expected in done.stdout
        assert f"/{installation}/platform\n" in done.stdout
        assert str(settings.run) not in Path("/proc/self/mounts").read_text()
    finally:
        classes.remove(installation)
        for folder in (*(settings.run / "code").glob("*"), settings.run / "code", settings.run):
            folder.rmdir()


@pytest.mark.parametrize(
    "target, left",
    [
        (SETTINGS.pool_mount, True),
        (SETTINGS.machines_run / "one/tree/root", True),
        (Path("/var/lib/another/zones"), True),
        (Path("/run/another/machines/one/tree/root"), True),
        (SETTINGS.state, False),
        (SETTINGS.run / "code/0", False),
        (Path("/var/lib/docker/overlay2"), False),
        (Path("/"), False),
    ],
)
def test_pools_and_machines_of_every_installation_are_left(target: Path, left: bool) -> None:
    """A copy in another mount namespace would keep a pool's device in use."""
    assert launch.is_of_machines(SETTINGS, target) is left
