"""A machine's stream: what was cut or changed on its way is refused, wherever it was."""

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.node.errors import NodeError
from paas.node.machines.bundle import Bundle

DESCRIPTION = {"driver": "btrfs", "properties": {"uuid": "u"}}


def written(data: bytes) -> bytes:
    """What `send` writes of a dataset whose stream is `data`."""
    stream, source = os.pipe(), os.pipe()

    def write() -> None:
        bundle = Bundle(stream[1])
        bundle.write_description(DESCRIPTION)
        bundle.copy_in(source[0])
        os.close(stream[1])
        os.close(source[0])

    thread = threading.Thread(target=write)
    thread.start()
    feeder = threading.Thread(target=fed, args=(source[1], data))
    feeder.start()
    with os.fdopen(stream[0], "rb") as file:
        whole = file.read()
    thread.join(30)
    feeder.join(30)
    return whole


def fed(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def arrived(stream: bytes) -> tuple[object, bytes]:
    source, target = os.pipe(), os.pipe()
    threading.Thread(target=fed, args=(source[1], stream), daemon=True).start()
    received: list[bytes] = []

    def take() -> None:
        with os.fdopen(target[0], "rb") as file:
            received.append(file.read())

    reader = threading.Thread(target=take)
    reader.start()
    try:
        bundle = Bundle(source[0])
        description = bundle.read_description()
        bundle.copy_out(target[1])
    finally:
        os.close(target[1])
        os.close(source[0])
        reader.join(30)
    return description, received[0]


WHOLE = written(b"data" * 1000)


@pytest.mark.parametrize("size_bytes", [0, 1, 256 * 1024, 1_000_003])
def test_what_was_sent_arrives(size_bytes: int) -> None:
    data = os.urandom(size_bytes)
    assert arrived(written(data)) == (DESCRIPTION, data)


@given(st.integers(0, len(WHOLE) - 1))
def test_a_stream_that_was_cut_is_refused(place: int) -> None:
    with pytest.raises(NodeError) as caught:
        arrived(WHOLE[:place])
    assert caught.value.code == "InvalidBundle"


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_stream_that_was_changed_is_refused(place: int, change: int) -> None:
    changed = WHOLE[:place] + bytes([WHOLE[place] ^ change]) + WHOLE[place + 1 :]
    with pytest.raises(NodeError) as caught:
        arrived(changed)
    assert caught.value.code == "InvalidBundle"


@given(st.binary(max_size=200))
def test_any_other_stream_is_refused(data: bytes) -> None:
    with pytest.raises(NodeError):
        arrived(data)
