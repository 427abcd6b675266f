"""What the real tools said means what it means: each sample its own cause, and no other rule's."""

import pytest

from buildpacks.nodejs.failures import causes, classify, noticed
from buildpacks.nodejs.failures.classify import typed
from buildpacks.nodejs.known import KNOWN, named
from buildpacks.nodejs.manifest import read as manifest
from buildpacks.nodejs.rules import ANY, Evidence
from tests.failures import sample
from tests.failures.scene import Scene
from tests.failures.scenes import SCENES

PORT = 3000
RECORDED = [scene for scene in SCENES if sample.path(scene).exists()]
PASSED = sorted(sample.PASSED.glob("*.txt"))


def evidence(scene: Scene) -> Evidence:
    found = sample.read(scene)
    return Evidence(
        step=found.step,
        exit_code=found.exit,
        tail=found.output,
        package=manifest(found.tree),
        tree=found.tree,
        port=PORT,
        typed=typed(named(found.manager)),
    )


def test_every_scene_that_runs_something_has_its_sample() -> None:
    wanted = {scene.name for scene in SCENES if scene.step != "preflight" and not scene.passes}
    assert {path.stem for path in sample.FAILED.glob("*.txt")} <= wanted


@pytest.mark.parametrize("scene", RECORDED, ids=lambda scene: scene.name)
def test_a_sample_is_told_apart(scene: Scene) -> None:
    found = sample.read(scene)
    failure = classify(
        found.step, found.exit, found.output, manager=found.manager, port=PORT, tree=found.tree
    )
    assert failure.id == scene.cause, failure
    said = f"{failure.message}\n{failure.hint}"
    assert [text for text in scene.says if text not in said] == []


@pytest.mark.parametrize("scene", RECORDED, ids=lambda scene: scene.name)
def test_no_rule_takes_a_sample_for_its_own_that_is_not(scene: Scene) -> None:
    judged = evidence(scene)
    others = {
        rule.id
        for rule in causes.ALL
        if rule.id != scene.cause and not rule.is_general and rule.find(judged)
    }
    assert others == set()


@pytest.mark.parametrize("path", PASSED, ids=lambda path: path.stem)
def test_nothing_is_found_in_what_succeeded(path: sample.Path) -> None:
    output = path.read_text()
    for step in ANY:
        judged = Evidence(step, 0, output, port=PORT, typed=typed(KNOWN[0]))
        assert [rule.id for rule in causes.ALL if rule.pattern and rule.find(judged)] == []
    lines = output.splitlines()
    assert [one for manager in KNOWN for one in noticed("install", lines, manager.name)] == []
