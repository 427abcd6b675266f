"""Descriptors waited for, and read, on the event loop.

Never by `connect_read_pipe`: uvloop closes the pipe and then its file object, which closes the same
number once more. What a thread has opened under that number in between is gone: a database's file,
or a ref's.
"""

import asyncio
import os


async def readable(descriptor: int) -> None:
    """Returns when the descriptor can be read without blocking, or has come to its end."""
    loop = asyncio.get_running_loop()
    can_be_read = asyncio.Event()
    loop.add_reader(descriptor, can_be_read.set)
    try:
        await can_be_read.wait()
    finally:
        loop.remove_reader(descriptor)


async def writable(descriptor: int) -> None:
    """Returns when the descriptor can be written to without blocking."""
    loop = asyncio.get_running_loop()
    can_be_written = asyncio.Event()
    loop.add_writer(descriptor, can_be_written.set)
    try:
        await can_be_written.wait()
    finally:
        loop.remove_writer(descriptor)


async def write(descriptor: int, data: bytes) -> None:
    """All of it. The descriptor must not block. Raises OSError."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            await writable(descriptor)


async def read(descriptor: int, size_bytes: int) -> bytes:
    """What is there, as soon as something is; nothing at the end. It must not block."""
    while True:
        try:
            return os.read(descriptor, size_bytes)
        except BlockingIOError:
            await readable(descriptor)
