"""The platform on a minimal Debian with systemd and pure cgroup v2: installed, used, hurt, back.

One story for each release, because every step needs what the ones before it left. On request only
(`script/test --guest`): a guest without KVM takes many minutes.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.guest import image
from tests.guest.machine import Guest

pytestmark = [pytest.mark.guest, pytest.mark.root, pytest.mark.timeout(4 * 3600)]
APP = "http://hello.localhost/"


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def guest(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guest]:
    assert os.geteuid() == 0, "making a guest needs root"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [
        package for name, package in image.PROGRAMS.items() if not shutil.which(name, path=path)
    ]
    assert not missing, f"apt-get install {' '.join(missing)}"
    folder = tmp_path_factory.mktemp("guest")
    made = image.image(request.param)
    image.code(folder / "code.tar")
    machine = Guest(made, folder / "code.tar", folder)
    try:
        machine.start()
        machine.run("tar --extract --file /dev/vdb --directory /opt/smartplatform")
        yield machine
    finally:
        machine.off()
        shutil.rmtree(folder)


def test_the_platform_is_installed_used_hurt_and_comes_back(guest: Guest) -> None:
    starts_on_a_host_that_has_what_bootstrap_installed(guest)
    install_says_why_the_platform_does_not_start(guest)
    install_returns_when_the_platform_works(guest)
    a_push_goes_live(guest)
    instances_are_added_and_started_again(guest)
    a_killed_supervisor_loses_nothing(guest)
    is_back_after(guest, guest.reboot)
    is_back_after(guest, guest.cut_power)
    a_start_by_hand_returns_when_apps_answer(guest)
    nothing_stays(guest)


def starts_on_a_host_that_has_what_bootstrap_installed(guest: Guest) -> None:
    assert guest.run("stat -f -c %T /sys/fs/cgroup").out.strip() == "cgroup2fs"
    assert guest.run("cat /proc/1/comm").out.strip() == "systemd"
    findings = json.loads(guest.run("paas doctor --json", check=False).out)
    problems = {item["name"] for item in findings if item["level"] == "problem"}
    assert problems == {"resolvers", "registry"}, "it has no network, and everything else"


def install_says_why_the_platform_does_not_start(guest: Guest) -> None:
    guest.run("systemd-run --unit squatter python3 -m http.server 80")
    guest.run("until ss -Hltn sport = :80 | grep -q LISTEN; do sleep 0.2; done")
    refused = guest.run("paas install", check=False)
    assert refused.status != 0
    assert "port 80 is taken by python3" in refused.out
    assert "apps answer" not in refused.out
    guest.run("systemctl stop squatter")


def install_returns_when_the_platform_works(guest: Guest) -> None:
    done = guest.run("paas install")
    assert "apps answer on port 80" in done.out
    assert guest.run("systemctl is-active paas").out.strip() == "active"


def a_push_goes_live(guest: Guest) -> None:
    guest.run("cp -R /opt/smartplatform/tests/samples/http /root/hello")
    # The developer's clone is no part of what a power cut tries: git leaves its objects unsynced.
    guest.run(
        "cd /root/hello && git init -q -b main && git config user.email dev@localhost && "
        "git config user.name Dev && git config core.fsync all && git add -A && paas create hello"
    )
    pushed = guest.run("cd /root/hello && git commit -qm one && git push paas HEAD:main 2>&1")
    assert "Released v1" in pushed.out
    assert answer(guest) == "hello\n"


def instances_are_added_and_started_again(guest: Guest) -> None:
    guest.run("paas ps:scale web=2 -a hello")
    states = [item["state"] for item in json.loads(guest.run("paas ps -a hello --json").out)]
    assert states == ["up", "up"]
    pid = first_process(guest)
    guest.run(f"kill -9 {pid}")
    assert answer(guest) == "hello\n"
    # 0 between the end of one and the start of the next.
    again = f"pid=$({FIRST_PROCESS}); [ $pid != 0 ] && [ $pid != {pid} ]"
    guest.run(f"until {again}; do sleep 0.5; done")


FIRST_PROCESS = (
    "vmadm get $(vmadm lookup -1 alias=hello.web.1) | "
    "python3 -c 'import json, sys; print(json.load(sys.stdin).get(\"pid\") or 0)'"
)


def first_process(guest: Guest) -> int:
    return int(guest.run(FIRST_PROCESS).out)


def a_killed_supervisor_loses_nothing(guest: Guest) -> None:
    before = first_process(guest)
    guest.run(LOAD)
    pid = main_process(guest)
    guest.run(f"kill -9 {pid}")
    guest.run(
        f"until [ $(systemctl show -p MainPID --value paas) -gt 0 ] && "
        f"[ $(systemctl show -p MainPID --value paas) != {pid} ] && "
        "systemctl is-active paas; do sleep 0.5; done"
    )
    guest.run("touch /root/enough; until [ -e /root/ended ]; do sleep 0.5; done")
    answers = guest.run("sort -u /root/answers").out.split()
    assert answers == ["200"]
    assert first_process(guest) == before


LOAD = """
cat > /root/load.sh <<'END'
while [ ! -e /root/enough ]; do
  curl -s -o /dev/null -w '%{http_code}\\n' --max-time 120 http://hello.localhost/
done > /root/answers
touch /root/ended
END
systemd-run --quiet bash /root/load.sh
until grep -q 200 /root/answers; do sleep 0.2; done
"""


def main_process(guest: Guest) -> int:
    return int(guest.run("systemctl show -p MainPID --value paas").out)


def is_back_after(guest: Guest, harm: Callable[[], None]) -> None:
    """As soon as systemd calls it started, and with what was pushed before."""
    harm()
    guest.run("until systemctl is-active paas; do sleep 1; done")
    assert answer(guest) == "hello\n"
    guest.run("echo >> /root/hello/server.js && cd /root/hello && git commit -qam more")
    assert "Released v" in guest.run("cd /root/hello && git push paas HEAD:main 2>&1").out
    assert answer(guest) == "hello\n"


def a_start_by_hand_returns_when_apps_answer(guest: Guest) -> None:
    guest.run("systemctl stop paas && ! curl -s --max-time 10 http://hello.localhost/")
    guest.run("paas down && systemctl start paas")
    assert answer(guest) == "hello\n"
    guest.run(
        'until [ $(paas ps -a hello --json | grep -c \'"state": "up"\') = 2 ]; do sleep 1; done'
    )


def nothing_stays(guest: Guest) -> None:
    guest.run("paas uninstall --confirm smartplatform")
    guest.run("! systemctl cat paas")
    guest.run("[ ! -e /var/lib/smartplatform ] && [ ! -e /run/smartplatform ]")


def answer(guest: Guest) -> str:
    return guest.run(f"curl -sS --fail --max-time 120 {APP}").out
