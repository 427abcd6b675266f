"""Pointers, as git-lfs writes and has written them."""

import pytest

from gitserver.lfs.pointers import Pointer, parse

OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
SPEC = "version https://git-lfs.github.com/spec/v1\n"
FOUND = Pointer(OID, 12345)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{SPEC}oid sha256:{OID}\nsize 12345\n", FOUND),
        (f"{SPEC}oid sha256:{OID}\nsize 12345", FOUND),
        (f"{SPEC}ext-0-foo sha256:{OID}\noid sha256:{OID}\nsize 12345\n", FOUND),
        (f"version https://hawser.github.com/spec/v1\noid sha256:{OID}\nsize 12345\n", FOUND),
        (f"{SPEC}oid sha256:{OID}\r\nsize 12345\r\n", FOUND),
        (f"{SPEC}oid sha256:{OID[1:]}\nsize 12345\n", None),
        (f"{SPEC}oid sha256:{OID.upper()}\nsize 12345\n", None),
        (f"{SPEC}oid sha256:{OID}\nsize -1\n", None),
        (f"{SPEC}oid sha256:{OID}\nsize {'1' * 30}\n", None),
        (f"{SPEC}oid sha256:{OID}\nsize 12345\n" + " " * 1000, None),
        (f"{SPEC}oid sha256:{OID}\n", None),
        (SPEC, None),
        ("", None),
    ],
)
def test_pointers_are_known_by_their_form(text: str, expected: Pointer | None) -> None:
    assert parse(text.encode()) == expected
