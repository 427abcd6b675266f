"""What the keeper has on disk is whole, alone, and no more readable than it may be."""

import stat
from pathlib import Path

import pytest

from router.keeper import files


def test_what_was_saved_last_is_loaded_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    assert files.load(path) is None
    for version in (1, 2):
        files.save(path, {"version": version})
        assert files.load(path) == {"version": version}
    assert [each.name for each in tmp_path.iterdir()] == ["table.json"]


def test_a_secret_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "certificates.json"
    path.write_text("{}")
    path.chmod(0o644)
    files.save(path, {"key": "secret"}, 0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("damaged", [b"", b"{", b'{"key": "secret', b'"secret\xff"'])
def test_a_damaged_file_is_an_error_that_says_nothing_of_its_content(
    tmp_path: Path, damaged: bytes
) -> None:
    path = tmp_path / "certificates.json"
    path.write_bytes(damaged)
    with pytest.raises(files.FileError) as error:
        files.load(path)
    assert str(error.value) == f"{path} is not JSON"
