"""An app's end is the end of its pushes and builds."""

import asyncio

from paas.platform.deploying import Deploying


def test_what_is_under_way_of_an_app_is_cancelled_with_it_and_no_other() -> None:
    async def story() -> None:
        deploying = Deploying()
        mine, other = (asyncio.create_task(asyncio.Event().wait()) for _ in range(2))
        deploying.add("a", mine)
        deploying.add("b", other)
        assert deploying.apps == {"a", "b"}
        deploying.stop("a")
        await asyncio.wait({mine})
        await asyncio.sleep(0)
        assert mine.cancelled() and not other.done()
        assert deploying.apps == {"b"}
        assert deploying.is_stopped("a") and not deploying.is_stopped("b")
        other.cancel()

    asyncio.run(story())


def test_an_app_that_was_not_destroyed_after_all_is_deployed_again() -> None:
    deploying = Deploying()
    deploying.stop("a")
    deploying.resume("a")
    assert not deploying.is_stopped("a")
