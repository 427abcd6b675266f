"""A zone's environment: the platform's variables below the app's, the runtimes' options. Pure."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from paas.node import words
from paas.node.zone.bundle.files import CA_BUNDLE

PRELOAD_SOURCE = Path(__file__).with_name("preload.cjs")
PRELOAD = "/opt/smartplatform/preload.cjs"
_PATH = "/opt/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HOMES = {0: ("root", "/root"), 1000: ("app", "/app")}
_SMALL_MIB = 400
_SEMI_SPACE_BELOW_MIB = 1024
_SEMI_SPACE_SINCE = 18
"""A Node.js before it ends at once when its NODE_OPTIONS have --max-semi-space-size."""
_MIB_PER_PROCESS = 512
"""What Heroku reckons for one process of Node.js (WEB_MEMORY)."""


def compose(
    own: Iterable[str],
    *,
    uid: int,
    memory_mib: int,
    kind: str,
    processors: int | None = None,
    port: int | None = None,
    nodejs: str = "",
    runtimes: Collection[str] = ("node",),
    descriptors: str | None = None,
    socket: str = "",
) -> dict[str, str]:
    """The variables of a zone's first process. `own` are the machine's `NAME=value` items.

    `nodejs` is the version of Node.js, if known, `runtimes` are those that the zone has. With
    `processors` (how many it may count on) it has the preload module, which tells Node.js the
    package's size; with `descriptors` (their inodes) that makes the fast path too. `socket` is the
    name of the first of them, for programs that find what they inherit by its name.
    """
    user, home = _HOMES.get(uid, (str(uid), "/"))
    given = dict(item.split("=", 1) for item in own)
    platform = {
        "PATH": _PATH,
        "HOME": home,
        "USER": user,
        "LANG": "C.UTF-8",
        "SSL_CERT_FILE": CA_BUNDLE,
        "NODE_EXTRA_CA_CERTS": CA_BUNDLE,
    }
    if port is not None:
        platform["PORT"] = str(port)
    if kind != words.BUILDS:
        platform |= _of_bun(memory_mib) if "bun" in runtimes else {}
        platform |= _of_deno(port) if "deno" in runtimes else {}
    knows_semi_space = not nodejs or int(nodejs.partition(".")[0]) >= _SEMI_SPACE_SINCE
    small = kind != words.BUILDS and knows_semi_space
    options = nodejs_options(memory_mib, small=small, preload=processors is not None)
    forced = {}
    if not runtimes or "node" in runtimes:
        forced["NODE_OPTIONS"] = _joined(" ".join(options), given.get("NODE_OPTIONS", ""))
    if "deno" in runtimes:
        own_flags = given.get("DENO_V8_FLAGS", "")
        flags = f"--max-old-space-size={_heap_mib(memory_mib)},{own_flags}"
        forced["DENO_V8_FLAGS"] = flags.rstrip(",")
    if processors is not None:
        forced["SMARTPLATFORM_SIZE"] = f"{memory_mib << 20}:{processors}"
    if descriptors is not None:
        forced["SMARTPLATFORM_DESCRIPTORS"] = f"{descriptors}:{port}"
        forced["SMARTPLATFORM_SOCKET"] = socket
    return {**platform, **given, **forced}


def extended(variables: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """A further process's variables; its own options for Node.js stand behind the zone's."""
    merged = {**variables, **more}
    if "NODE_OPTIONS" in more:
        merged["NODE_OPTIONS"] = _joined(variables.get("NODE_OPTIONS", ""), more["NODE_OPTIONS"])
    return merged


def processors(memory_mib: int, cpu_cap: int, present: int) -> int:
    """How many processors a program is to count on: no more than it has memory to fill.

    Libraries start a process or a pool's part for each one. A machine without `cpu_cap` may use
    all of the host's nevertheless.
    """
    room = max(1, memory_mib // _MIB_PER_PROCESS)
    capped = -(-cpu_cap // 100) if cpu_cap else present
    return max(1, min(present, capped, room))


def _joined(first: str, second: str) -> str:
    return f"{first} {second}".strip()


def nodejs_options(memory_mib: int, *, small: bool, preload: bool) -> list[str]:
    """What Node.js is told, before the app's own options, which win.

    Node never goes under 260 MB of heap by itself, and a zone can't see its cgroup's limit. `small`
    is for where many share the memory.
    """
    options = [f"--max-old-space-size={_heap_mib(memory_mib)}"]
    if small and memory_mib < _SEMI_SPACE_BELOW_MIB:
        options.append("--max-semi-space-size=4")
    return [f"--require={PRELOAD}", *options] if preload else options


def _heap_mib(memory_mib: int) -> int:
    return max(memory_mib * (62 if memory_mib < _SMALL_MIB else 75) // 100, 16)


def _of_bun(memory_mib: int) -> dict[str, str]:
    """Its collector goes by the computer's memory, which is the host's."""
    return {"BUN_JSC_forceRAMSize": str(memory_mib << 20)}


def _of_deno(port: int | None) -> dict[str, str]:
    """With the address its first server listens there, whatever port the program names."""
    told = {
        "DENO_TLS_CA_STORE": "system",
        "DENO_NO_UPDATE_CHECK": "1",
        "DENO_NO_PROMPT": "1",
    }
    return told | ({"DENO_SERVE_ADDRESS": f"tcp:0.0.0.0:{port}"} if port is not None else {})


def as_list(variables: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in variables.items()]
