"""What can go wrong in the node: one family, whose `code` is the same at both ends of the socket.

    NodeError(code, message, hint)   the node refused or failed; the client raises it again
    ├─ ImageError                    about an image, with IMGAPI's codes
    ├─ StartFailed                   a machine's first process does not run
    ├─ BadPayload                    vmadm's complaint (`machines.payload`)
    └─ PoolError                     the pool can't do it; four kinds (`pools.interface`)

`docs/contracts/node.md` lists the codes.
"""


class NodeError(Exception):
    """`code` is a stable word (`VmNotFound`, `Unavailable`, …), `hint` says what to do."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    @property
    def advice(self) -> str:
        """The message and, where there is one, the hint: as a caller is told."""
        return f"{self.message}. {self.hint}" if self.hint else self.message


class ImageError(NodeError):
    """`ImageNotInstalled`, `ImageUuidAlreadyExists`, `ImageInUse`, …"""


class StartFailed(NodeError):
    """The first process could not be started; the message is the runtime's."""

    def __init__(self, message: str) -> None:
        super().__init__("StartFailed", message)
