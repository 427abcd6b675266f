"""A pipe read on the event loop, by its descriptor.

Never by `connect_read_pipe`: uvloop closes the pipe and then its file object, which closes the same
number once more. What a thread has opened under that number in between is gone: a database's file,
or a ref's.
"""

import asyncio
import os


async def read(descriptor: int, size_bytes: int) -> bytes:
    """What is there, as soon as something is; nothing at the end. It must not block."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return os.read(descriptor, size_bytes)
        except BlockingIOError:
            readable = asyncio.Event()
            loop.add_reader(descriptor, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(descriptor)
