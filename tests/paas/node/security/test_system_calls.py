"""What the kernel offers and a zone may not have: tried by number, refused by seccomp."""

from typing import Any

import pytest

from tests.paas.node.security.conftest import Walls, source

pytestmark = pytest.mark.root

# What programs probe for answers "no such call", so that they fall back.
ABSENT = {
    "clone3",
    "io_setup",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
}
ALLOWED_TO_CAPABLE = {"raw IPv4", "raw IPv6", "chroot", "ptrace of process 1"}


@pytest.fixture(scope="module")
def attempts(walls: Walls) -> dict[str, dict[str, str]]:
    program = source("system_calls")
    return {
        "app": walls.python(walls.app["uuid"], program),
        "root without capabilities": walls.python(walls.app["uuid"], program, user="root"),
        "capable": walls.python(walls.capable["uuid"], program, user="root", working_directory="/"),
    }


def _refusals(found: dict[str, str]) -> dict[str, str]:
    special = {"x32": "SIGSYS", "ptrace of process 1": "EPERM"}
    return {name: special.get(name, "ENOSYS" if name in ABSENT else "EPERM") for name in found}


def test_an_instance_gets_no_call_that_opens_the_kernel(attempts: dict[str, Any]) -> None:
    found = attempts["app"]
    own = {"ptrace of process 1"}  # The same user's: as everywhere.
    assert len(found) > 100
    assert {k: v for k, v in found.items() if k not in own} == {
        k: v for k, v in _refusals(found).items() if k not in own
    }


def test_root_of_an_instance_gets_no_more(attempts: dict[str, Any]) -> None:
    found = attempts["root without capabilities"]
    assert found == _refusals(found)


def test_a_machine_with_capabilities_gets_what_they_name_and_no_more(
    attempts: dict[str, Any],
) -> None:
    found = attempts["capable"]
    assert {k: v for k, v in found.items() if k not in ALLOWED_TO_CAPABLE} == {
        k: v for k, v in _refusals(found).items() if k not in ALLOWED_TO_CAPABLE
    }
    assert (found["raw IPv4"], found["chroot"]) == ("done", "done")
