"""What npm says that is not worth showing: its usage text, a hundred lines that follow some of its
errors and push them out of sight; and a word about what the platform itself has told it."""

import re

_BEGINS = re.compile(r"npm (?:error|ERR!) (?:Clean install a project|Usage:)$")
_ENDS = re.compile(r'npm (?:error|ERR!) Run "npm help ')
_TOLD = re.compile(r'npm warn Unknown env config "nodedir"')
"""It is the platform that says so, for whoever brings a node-gyp of their own."""
_NPM = re.compile(r"npm (?:error|ERR!)")


class WithoutUsage:
    """Asked of each line of a step's output in turn: is it to be shown?"""

    def __init__(self) -> None:
        self._inside = False

    def shows(self, line: str) -> bool:
        text = line.rstrip()
        if _TOLD.match(text):
            return False
        if not self._inside:
            self._inside = _BEGINS.match(text) is not None
            return not self._inside
        ended = _ENDS.match(text) is not None
        self._inside = not ended and _NPM.match(text) is not None
        return not ended and not self._inside
