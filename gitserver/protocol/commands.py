"""Parses the head of a push: ref updates, capabilities and push options (gitprotocol-pack(5)).

No I/O: bytes are fed, and what follows the head is the pack.
"""

import re
from dataclasses import dataclass, field

from gitserver.faults import Fault
from gitserver.interface import RefUpdate
from gitserver.protocol.packets import Decoder, Mark, Packet

_COMMAND = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) (.+)", re.DOTALL)
_SHALLOW = re.compile(rb"shallow [0-9a-f]{40}")
_ZERO = b"0" * 40
_HEAD_BYTES_MAX = 8 * 1024 * 1024
_PUSH_OPTIONS_MAX = 100
PUSH_OPTION_BYTES_MAX = 4096


@dataclass
class Head:
    """What a client wants, as far as it was read."""

    updates: list[RefUpdate] = field(default_factory=list)
    capabilities: frozenset[str] = frozenset()
    push_options: list[str] = field(default_factory=list)
    shallow: list[str] = field(default_factory=list)
    """The commits at which the client's history is cut off: what is before them it can't send."""
    fault: str | None = None
    """Why nothing of it may be done, however it goes on."""
    ended_at_once: bool = False
    """Nothing but a flush: the probe with which git finds out whether it needs credentials."""

    @property
    def has_pack(self) -> bool:
        return any(update.new for update in self.updates)

    @property
    def side_band(self) -> bool:
        return "side-band-64k" in self.capabilities


class HeadParser:
    """`feed` until it answers True; then `head` is whole and `rest` starts the pack.

    What is wrong with a line is noted in `head.fault` and the rest is read all the same: who is
    to hear of it, and how, is only known from the whole head.
    """

    def __init__(self, updates_max: int) -> None:
        self.head = Head()
        self._updates_max = updates_max
        self._decoder = Decoder()
        self._fed_bytes = 0
        self._in_options = False

    @property
    def rest(self) -> bytes:
        return self._decoder.rest

    def feed(self, data: bytes) -> bool:
        """Raises Fault or PacketError where it can't be read on."""
        self._fed_bytes += len(data)
        self._decoder.feed(data)
        while (packet := self._decoder.next()) is not None:
            try:
                if self._take(packet):
                    return True
            except Fault as fault:
                self.head.fault = self.head.fault or str(fault)
        if self._fed_bytes > _HEAD_BYTES_MAX:
            raise Fault("the list of refs is too long")
        return False

    def _take(self, packet: Packet) -> bool:
        if packet is Mark.FLUSH:
            if self._in_options or "push-options" not in self.head.capabilities:
                self.head.ended_at_once = not self.head.updates and self.head.fault is None
                return True
            self._in_options = True
        elif isinstance(packet, Mark):
            raise Fault("a push has no such packet")
        elif self._in_options:
            self._take_option(packet.removesuffix(b"\n"))
        else:
            self._take_line(packet.removesuffix(b"\n"))
        return False

    def _take_line(self, line: bytes) -> None:
        if _SHALLOW.fullmatch(line):
            self.head.shallow.append(line.removeprefix(b"shallow ").decode())
            return
        if not self.head.updates:
            line, _, words = line.partition(b"\0")
            self.head.capabilities = frozenset(words.decode("utf-8", "replace").split())
        match = _COMMAND.fullmatch(line)
        if match is None or b"\0" in line:
            raise Fault(f"{line[:100]!r} is no ref update")
        old, new, name = match.groups()
        self.head.updates.append(
            RefUpdate(name.decode("utf-8", "surrogateescape"), _id(old), _id(new))
        )
        if len(self.head.updates) > self._updates_max:
            raise Fault(
                f"a push may change at most {self._updates_max} refs: push what is to be deployed "
                "alone (git push paas main), and the others in several pushes"
            )

    def _take_option(self, option: bytes) -> None:
        if len(option) > PUSH_OPTION_BYTES_MAX or len(self.head.push_options) >= _PUSH_OPTIONS_MAX:
            raise Fault("too many or too long push options")
        self.head.push_options.append(option.decode("utf-8", "replace"))


def _id(digits: bytes) -> str | None:
    return None if digits == _ZERO else digits.decode()
