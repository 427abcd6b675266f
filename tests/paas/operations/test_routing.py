"""Routing settings: in force when the change returns."""

import pytest

from paas.errors import UserError
from paas.store import apps
from tests.paas.provisioner.world import Run, World


def test_a_routing_setting_is_in_force_when_the_change_returns(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.app()
        changed = await world.operations.routing.change(app, {"sticky": "on"}, "me")
        assert changed.routing == {"sticky": True}
        assert not world.platform.routes.behind
        with pytest.raises(UserError, match="concurrency can't be 'x'"):
            await world.operations.routing.change(app, {"sticky": None, "concurrency": "x"}, "me")
        assert (await world.platform.database.run(apps.by_id, app.id)) == changed

    run(story)
