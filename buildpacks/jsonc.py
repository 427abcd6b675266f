"""JSON with comments and commas before closing brackets, as deno.json and bun.lock have it."""

import json
import re
from typing import Any

_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMA = re.compile(r'("(?:[^"\\\n]|\\.)*")|,(?=\s*[}\]])')


def loads(text: str) -> Any:
    """Raises ValueError as `json.loads` does; lines keep their numbers."""
    plain = _COMMENT.sub(lambda found: found[1] or "\n" * found[0].count("\n"), text)
    return json.loads(_COMMA.sub(lambda found: found[1] or "", plain))
