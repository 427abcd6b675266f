"""A zone's environment: the platform's variables below the app's, and Node.js's options. Pure."""

from collections.abc import Iterable, Mapping

from paas.node.zone.files import CA_BUNDLE

PRELOAD = "/opt/smartplatform/preload.cjs"
_PATH = "/opt/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HOMES = {0: ("root", "/root"), 1000: ("app", "/app")}
_SMALL_MIB = 400
_SEMI_SPACE_BELOW_MIB = 1024
_SEMI_SPACE_SINCE = 18
"""A Node.js before it ends at once when its NODE_OPTIONS have --max-semi-space-size."""


def compose(
    own: Iterable[str],
    *,
    uid: int,
    memory_mib: int,
    kind: str,
    port: int | None = None,
    nodejs: str = "",
    descriptors: str | None = None,
) -> dict[str, str]:
    """The variables of a zone's first process. `own` are the machine's `NAME=value` items.

    `nodejs` is the runtime's version, if known. With `descriptors` (their inodes) the fast path's
    preload module is loaded before the app.
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
    knows_semi_space = not nodejs or int(nodejs.partition(".")[0]) >= _SEMI_SPACE_SINCE
    small = kind == "machines" and knows_semi_space
    options = nodejs_options(memory_mib, small=small, preload=descriptors is not None)
    merged = " ".join([*options, given.get("NODE_OPTIONS", "")]).strip()
    forced = {"NODE_OPTIONS": merged}
    if descriptors is not None:
        forced["SMARTPLATFORM_DESCRIPTORS"] = f"{descriptors}:{port}"
    return {**platform, **given, **forced}


def nodejs_options(memory_mib: int, *, small: bool, preload: bool) -> list[str]:
    """What Node.js is told, before the app's own options, which win.

    Node never goes under 260 MB of heap by itself, and a zone can't see its cgroup's limit. `small`
    is for where many share the memory.
    """
    heap = memory_mib * (62 if memory_mib < _SMALL_MIB else 75) // 100
    options = [f"--max-old-space-size={max(heap, 16)}"]
    if small and memory_mib < _SEMI_SPACE_BELOW_MIB:
        options.append("--max-semi-space-size=4")
    return [f"--require={PRELOAD}", *options] if preload else options


def as_list(variables: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in variables.items()]
