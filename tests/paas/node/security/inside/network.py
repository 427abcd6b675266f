"""Runs inside a zone: tries to reach addresses, given as words; says as JSON how each ended.

Words are `tcp:address:port`, `udp:address:port` (a datagram and its echo), `unix:path`,
`abstract:name`. PATIENCE_S is how long it waits for another answer when the last has come.
"""

import errno
import json
import os
import selectors
import socket
import sys

PATIENCE_S = float(os.environ.get("PATIENCE_S", "0.8"))


def begin(word):
    """A socket that becomes readable or writable when the target answers; or an errno's name."""
    kind, _, rest = word.partition(":")
    if kind in ("unix", "abstract"):
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        target = "\0" + rest if kind == "abstract" else rest
    else:
        host, _, port = rest.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        channel = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        target = (host, int(port))
    channel.setblocking(False)
    try:
        channel.connect(target)
        if kind == "udp":
            channel.send(b"anybody?")
        elif kind in ("unix", "abstract"):
            return "done"
    except BlockingIOError:
        pass
    except OSError as error:
        return errno.errorcode[error.errno]
    return channel


def end(kind, channel):
    number = channel.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        return errno.errorcode[number]
    try:
        return "done" if kind == "tcp" or channel.recv(100) else "EPIPE"
    except OSError as error:
        return errno.errorcode[error.errno]


found, waiting = {}, selectors.DefaultSelector()
for word in sys.argv[1:]:
    answer = begin(word)
    if isinstance(answer, str):
        found[word] = answer
    else:
        wanted = selectors.EVENT_READ if word.startswith("udp") else selectors.EVENT_WRITE
        waiting.register(answer, wanted, word)
while waiting.get_map():
    ready = waiting.select(PATIENCE_S)
    if not ready:
        break
    for key, _ in ready:
        found[key.data] = end(key.data.partition(":")[0], key.fileobj)
        waiting.unregister(key.fileobj)
for key in waiting.get_map().values():
    found[key.data] = "silence"
print(json.dumps(found))
