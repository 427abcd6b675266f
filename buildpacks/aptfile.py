"""The Aptfile, Heroku's: packages of the distribution that an app needs beside its dependencies.

A line names packages, or the https address of a .deb. They are unpacked into `.apt` of the tree,
where the variables of `environment` let programs, libraries and compilers find them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from buildpacks.findings import Refused, refuse
from buildpacks.tree import Tree

FILE = "Aptfile"
FOLDER = ".apt"
_FILE_BYTES_MAX = 64 * 1024
_ENTRIES_MAX = 200
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+](?::[a-z0-9]+)?(?:=[A-Za-z0-9.+:~-]+)?")
_URL = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[!-~]{1,1000}\.deb")


@dataclass(frozen=True)
class Aptfile:
    """`packages` are names, some with `=version`; `urls` lead to archives."""

    packages: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()


def read(tree: Tree) -> Aptfile | None:
    """None where there is none, or it names nothing. Raises Refused with the number of the first
    line that can't be obeyed."""
    content = tree.read(FILE, _FILE_BYTES_MAX)
    if content is None:
        return None
    packages: list[str] = []
    urls: list[str] = []
    for number, raw in enumerate(content.decode("utf-8-sig", "replace").splitlines(), start=1):
        line = raw.split("#")[0].strip() if not raw.strip().startswith("http") else raw.strip()
        if line.startswith(":repo:"):
            raise _repository(number)
        for word in line.split():
            if "://" in word or word.endswith(".deb"):
                urls.append(_checked(_URL, word, number))
            else:
                packages.append(_checked(_PACKAGE, word, number))
    if len(packages) + len(urls) > _ENTRIES_MAX:
        message = f"Aptfile names more than {_ENTRIES_MAX} packages"
        raise refuse("invalid_aptfile", message, "Name those alone that others do not bring along.")
    found = Aptfile(tuple(dict.fromkeys(packages)), tuple(dict.fromkeys(urls)))
    return found if packages or urls else None


def environment(architecture: str) -> Mapping[str, str]:
    """Of builds and instances; `architecture` is the distribution's word (`x86_64-linux-gnu`)."""
    usr = f"/app/{FOLDER}/usr"
    libraries = f"{usr}/lib/{architecture}:/app/{FOLDER}/lib/{architecture}:{usr}/lib"
    headers = f"{usr}/include:{usr}/include/{architecture}"
    packaged = f"{usr}/lib/{architecture}/pkgconfig:{usr}/lib/pkgconfig:{usr}/share/pkgconfig"
    return {
        "LD_LIBRARY_PATH": libraries,
        "LIBRARY_PATH": libraries,
        "INCLUDE_PATH": headers,
        "CPATH": headers,
        "CPPPATH": headers,
        "PKG_CONFIG_PATH": packaged,
    }


def _checked(expression: re.Pattern[str], word: str, number: int) -> str:
    if expression.fullmatch(word):
        return word
    kind = "address of a .deb" if expression is _URL else "name of a package"
    hint = "A line names packages, e.g. libvips42 ffmpeg, or an address: https://…/x_1.0_amd64.deb"
    if word.startswith("http://"):
        hint = "Nobody could tell who has written what comes over http: write https."
    raise refuse("invalid_aptfile", f"Aptfile, line {number}: {word[:80]!r} is no {kind}", hint)


def _repository(number: int) -> Refused:
    return refuse(
        "aptfile_repository",
        f"Aptfile, line {number}: :repo: is refused: packages come from the sources of this "
        "server's own apt, whose signatures it knows",
        "Name the https address of the .deb instead, or have the server's operator add the source "
        "to /etc/apt with its key.",
    )
