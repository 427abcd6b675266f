"""A transcript: numbered steps, to the watcher and to a file of bounded size."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.builder import transcript
from paas.builder.transcript import Transcript
from tests.paas.provisioner.world import Here


def written(folder: Path, texts: list[str]) -> tuple[str, str]:
    """What the watcher got, and what the file has."""
    settings = Here(installation="test-transcript", folder=folder)
    said: list[str] = []

    async def write(text: str) -> None:
        said.append(text)

    async def story() -> None:
        opened = Transcript.open(settings, "b", write)
        for text in texts:
            await opened.write(text)
        opened.close()

    asyncio.run(story())
    return "".join(said), transcript.read(transcript.path(settings, "b"), 0)[0]


def test_steps_are_numbered_for_both(tmp_path: Path) -> None:
    said, kept = written(tmp_path, ["-----> One\n  a -----> b\n", "-----> Two\n"])
    assert said == kept == "-----> 1. One\n  a -----> b\n-----> 2. Two\n"


def test_the_file_is_cut_and_the_watcher_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript, "BYTES_MAX", 100)
    said, kept = written(tmp_path, ["é" * 39] * 10)
    assert said == "é" * 390
    settings = Here(installation="test-transcript", folder=tmp_path)
    assert transcript.path(settings, "b").stat().st_size == 100
    assert said.startswith(kept)


@given(st.lists(st.text(max_size=40), max_size=5))
def test_any_text_can_be_written(texts: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        said, _ = written(Path(folder), texts)
        assert len(said) >= sum(map(len, texts))


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    written(tmp_path, ["a secret"])
    settings = Here(installation="test-transcript", folder=tmp_path)
    assert transcript.path(settings, "b").parent.stat().st_mode & 0o077 == 0


def test_reading_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert transcript.read(path, 0) == ("", 0)
    path.write_text("one\n")
    text, offset = transcript.read(path, 0)
    path.write_text("one\ntwo\n")
    assert (text, transcript.read(path, offset)) == ("one\n", ("two\n", 8))


def test_a_character_that_is_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes("aé".encode()[:2])
    assert transcript.read(path, 0) == ("a", 1)
    path.write_bytes("aé".encode())
    assert transcript.read(path, 1) == ("é", 3)
