"""`sysinfo`: what this server is, as on SmartOS (sysinfo(8)): JSON, or lines for a shell with `-p`.

It asks the node and keeps no cache, so `-f`, `-n` and `-u` of the original need do nothing (`-u`
prints nothing). Exit status 0, 1 for an error, 2 for wrong usage.
"""

import json
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from paas.errors import UserError
from paas.node.commands.ask import Node
from paas.node.errors import NodeError
from paas.settings import load
from paas.system.plaintext import plain

_USAGE = "Usage: sysinfo [-fnpu]\n  -p  lines for a shell: Live_Image='…'\n  -u  print nothing"


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not all(re.fullmatch(r"-[fnpu]+", word) for word in words):
        asked = words in (["-?"], ["-h"], ["--help"])
        print(_USAGE, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    letters = set("".join(words)) - {"-"}
    try:
        found = Node(load().node_socket).ask("sysinfo")
        if "u" not in letters:
            print("\n".join(parsable(found)) if "p" in letters else json.dumps(found, indent=2))
            sys.stdout.flush()
    except NodeError as error:
        print(plain(error.message), file=sys.stderr)
        return 1
    except UserError as error:
        print(plain(error.message), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
    return 0


def parsable(found: Mapping[str, Any]) -> list[str]:
    """Assignments of a shell, of what has one value. Pure."""
    return [
        f"{key.replace(' ', '_')}={shlex.quote(plain(_word(item)))}"
        for key, item in found.items()
        if not isinstance(item, (dict, list))
    ]


def _word(item: Any) -> str:
    return item if isinstance(item, str) else json.dumps(item)


if __name__ == "__main__":
    sys.exit(main())
