"""What buildpacks keep on the host: nothing outlives its buildpack or its app."""

from pathlib import Path

from buildpacks.classic import parse
from paas.builder.classic import keeping
from paas.settings import Settings


class Place(Settings):
    """An installation whose control folder is the test's."""

    folder = Path()

    @property
    def control_state(self) -> Path:
        return self.folder


def test_what_is_kept_goes_with_its_buildpack_its_app_and_whoever_was_killed(
    tmp_path: Path,
) -> None:
    first, second = parse("./a"), parse("https://example.com/b")
    settings = Place()
    object.__setattr__(settings, "folder", tmp_path)
    for app in ("one", "two"):
        for buildpack in (first, second):
            kept = keeping.of(settings, app, buildpack)
            kept.folder.mkdir(parents=True, exist_ok=True)
            kept.cache.write_text("x")
            kept.source_of("c0ffee").write_text("x")
            kept.source_of("decade.part").write_text("x")
    of_one = keeping.of(settings, "one", first)
    assert of_one.source() == (of_one.source_of("c0ffee"), "c0ffee")

    keeping.forget_others(settings, "one", [first])
    assert sorted(of_one.folder.iterdir()) == sorted([of_one.cache, of_one.source_of("c0ffee")])
    keeping.sweep(settings, {"one"})
    assert [path.name for path in of_one.folder.parent.iterdir()] == ["one"]
    keeping.forget_others(settings, "one", [])
    assert list(of_one.folder.iterdir()) == []
