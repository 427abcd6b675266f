"""What can be wrong with a request for an image, in IMGAPI's and imgadm's words."""

import re

from paas.errors import UserError


class ImageError(UserError):
    """`code` is IMGAPI's: `ImageNotInstalled`, `ImageUuidAlreadyExists`, `ImageInUse`, …"""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(re.sub(r"(?<!^)(?=[A-Z])", "_", code).lower(), message, hint)
        self.code = code
