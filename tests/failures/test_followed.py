"""Every scene played: the failure, its words, the hint followed to the letter, and the app then."""

from pathlib import Path

import pytest

from tests.acceptance.conftest import NewApp
from tests.failures.scene import Scene, Story, tools
from tests.failures.scenes import SCENES

pytestmark = [pytest.mark.apps, pytest.mark.root, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_the_hint_mends_the_app(new_app: NewApp, tmp_path: Path, scene: Scene) -> None:
    story = Story(scene, new_app(prefix="scene"), tools(tmp_path / "bin", scene.tools))
    story.begin()
    told = story.push()
    assert (told.status == 0) == scene.passes, "\n".join(told.lines)
    said = "\n".join((*told.problems, *told.notes))
    assert [text for text in scene.says if text not in said] == []
    if scene.mendable:
        story.follow(told)
        story.is_mended(story.push())
