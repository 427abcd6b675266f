"""Control's own part: who is the owner, what goes on for ever, and a port that is taken."""

from typing import Any

import pytest

from paas.api.authentication import OWNER_SCOPE
from paas.control import main as control
from paas.errors import UserError
from paas.platform import background
from paas.provisioner import heal
from tests.paas.provisioner.world import Run, World


def test_a_fault_in_healing_does_not_end_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "FAILED_PAUSE_S", 0.01)
    monkeypatch.setattr(heal, "PAUSE_MIN_S", 0.01)

    async def story(world: World) -> None:
        await world.deployed("web")
        for odd in (f"odd{number}" for number in range(8)):
            world.node.machines[odd] = {"uuid": odd, "tags": {}}
            world.node.change(odd)  # a machine without a state
        await world.until(lambda: "odd7" in world.platform.machines.known)
        (machine,) = world.node.named("web.1")
        world.node.lose(machine["uuid"])
        await world.until(lambda: world.node.named("web.1"))

    run(story)


@pytest.mark.parametrize(
    ("server", "owner"), [(("/run/x.sock", None), True), (("127.0.0.1", 8081), False)]
)
def test_only_who_comes_by_the_socket_is_the_owner(
    run: Run, server: tuple[str, int | None], owner: bool
) -> None:
    async def story(world: World) -> None:
        seen = []

        async def git_server(scope: Any, _receive: Any, _send: Any) -> None:
            seen.append(scope[OWNER_SCOPE])

        answer = control.application(world.platform, git_server)
        scope = {
            "type": "http",
            "path": "/hello.git/info/refs",
            "server": server,
            "headers": [(b"host", b"localhost")],
            OWNER_SCOPE: True,
        }
        await answer(scope, None, None)  # type: ignore[arg-type]
        assert seen == [owner]

    run(story)


def test_control_never_opens_a_port_by_itself() -> None:
    with pytest.raises(UserError, match="without its listening sockets"):
        control._listeners()
