"""How grave a line says that it is, in the forms that loggers for Node.js write.

JSON with a level by name or by pino's and bunyan's numbers, `level=error` and the router's `at=`,
`[ERROR] …` and `ERROR: …` at the beginning. A line that says nothing of it is an `info`.
"""

import re

LEVELS = ("debug", "info", "warn", "error")
_NAMES = {
    **dict.fromkeys(("trace", "debug", "verbose", "silly"), 0),
    **dict.fromkeys(("info", "notice", "log", "http"), 1),
    **dict.fromkeys(("warn", "warning"), 2),
    **dict.fromkeys(("error", "err", "fatal", "critical", "alert", "emerg", "panic"), 3),
}
_JSON = re.compile(r'"(?:level|severity)"\s*:\s*(?:"([A-Za-z]{3,8})"|(\d{2}))')
_PAIR = re.compile(r"(?:^|\s)(?:level|lvl|at|severity)=\"?([A-Za-z]{3,8})\b")
_FIRST = re.compile(r"\s*(?:\[([A-Za-z]{3,8})\]|([A-Z]{3,8})\b:?|([A-Za-z]*Error):)")
_HEROKU = re.compile(r"Error [A-Z]\d\d \(")
_INFO, _ERROR = 1, 3


def rank(text: str) -> int:
    """Its place in LEVELS."""
    if text.startswith("{"):
        found = _JSON.search(text)
        if found is None:
            return _INFO
        if found[2]:
            return min(max(int(found[2]) // 10 - 2, 0), _ERROR)
        return _NAMES.get(found[1].lower(), _INFO)
    pair = _PAIR.search(text)
    if pair and pair[1].lower() in _NAMES:
        return _NAMES[pair[1].lower()]
    first = _FIRST.match(text)
    if first:
        if first[3]:
            return _ERROR
        return _NAMES.get((first[1] or first[2]).lower(), _INFO)
    return _ERROR if _HEROKU.match(text) else _INFO
