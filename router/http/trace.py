"""W3C Trace Context: a request that brings no well-formed traceparent gets one.

https://www.w3.org/TR/trace-context/: with a malformed traceparent the tracestate is void too. What
is made says "sampled", as a tracer does that sees a request first. That decides for tracers which
follow their caller, so it is done only for apps that ask for it.
"""

import re
from random import getrandbits

_PARENT = re.compile(rb"(?i:(?:^|\n)traceparent:)([^\r\n]*)(?=\r)")
_IDS = rb"(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_WELL_FORMED = re.compile(rb"00-%b|(?!00|ff)[0-9a-f]{2}-%b(?:-[!-~]*)?" % (_IDS, _IDS))
_LINES = re.compile(rb"(?im)^(?:traceparent|tracestate):[^\n]*\n")


def traced(head: bytes, block: bytes) -> bytes:
    """A request's head for the app, with a traceparent; `block` are the visitor's field lines."""
    lower = block.lower()
    if b"traceparent:" in lower or b"tracestate:" in lower:  # much cheaper than an expression
        found = _PARENT.findall(block)
        if len(found) == 1 and _WELL_FORMED.fullmatch(found[0].strip(b" \t")):
            return head
        head = _LINES.sub(b"", head)
    return b"%btraceparent: 00-%032x-%016x-01\r\n\r\n" % (
        head[:-2],
        getrandbits(128) or 1,
        getrandbits(64) or 1,
    )
