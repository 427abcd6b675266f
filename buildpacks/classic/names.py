"""What names a buildpack: an address, a folder of the app's repository, or Heroku's short name.

`https://host/x.git` and `https://host/x#branch` are git's, `https://host/x.tgz` is an archive,
`./buildpacks/x` a folder, and `heroku/nodejs` stands for what is built here without any other's
help. Heroku's registry is not asked: it maps names to archives of its own.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import urlsplit, urlunsplit

from buildpacks.findings import Refused, refuse

OURS = "heroku/nodejs"
_CHARACTERS_MAX = 500
_FOLDER = re.compile(r"\./[\w@+-][\w@+.-]*(?:/[\w@+-][\w@+.-]*)*/?", re.ASCII)
_SHORT = re.compile(r"[a-z0-9_-]+/[a-z0-9_-]+", re.IGNORECASE)
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+@-]{0,199}")
_ADDRESS = re.compile(r"[!-~]+")
_ARCHIVE = (".tgz", ".tar.gz")
_OURS_TOO = re.compile(
    r"(?:heroku/)?nodejs|https://github\.com/heroku/heroku-buildpack-nodejs(?:\.git)?/?"
    r"|https://(?:buildpack-registry|codon-buildpacks)\.s3\.amazonaws\.com/buildpacks"
    r"/heroku/nodejs\.tgz"
)
"""How Heroku's own tools, and people, write it."""
_DONE_HERE = (
    (
        re.compile(
            r"https://github\.com/heroku/heroku-buildpack-apt(?:\.git)?/?"
            r"|https://buildpack-registry\.s3\.amazonaws\.com/buildpacks/heroku-community/apt\.tgz"
        ),
        "The platform itself brings the packages of the Aptfile",
    ),
    (
        re.compile(r"https://github\.com/timanovsky/subdir-heroku-buildpack(?:\.git)?/?"),
        "The platform itself builds the app in the folder that PROJECT_PATH names",
    ),
)
"""What is done by other means here, and which ones."""
_HEROKUS = ("clojure", "go", "gradle", "java", "jvm", "php", "python", "ruby", "scala")
"""Those of Heroku's short names whose sources are at GitHub under a name that follows from it."""


class Kind(Enum):
    OURS = auto()
    GIT = auto()
    ARCHIVE = auto()
    FOLDER = auto()
    DONE_HERE = auto()
    """The platform does by itself what it does; `place` says so."""


@dataclass(frozen=True)
class Buildpack:
    """`name` as it is kept; `place` is an address or a folder, `ref` what git is asked for.

    `login` is what stands before the host of the address: it is shown to nobody.
    """

    name: str
    kind: Kind
    place: str = ""
    ref: str = ""
    login: str = ""

    @property
    def shown(self) -> str:
        if self.kind in (Kind.OURS, Kind.FOLDER, Kind.DONE_HERE):
            return self.name
        return self.place + (f"#{self.ref}" if self.ref else "")


def parse(text: str, *, plain_http: bool = False) -> Buildpack:
    """`plain_http`: the operator lets addresses without TLS be asked. Raises Refused."""
    name = text.strip()
    if len(name) > _CHARACTERS_MAX:
        raise _no_buildpack(name)
    if _OURS_TOO.fullmatch(name.partition("#")[0]):
        return Buildpack(OURS, Kind.OURS)
    for expression, instead in _DONE_HERE:
        if expression.fullmatch(name.partition("#")[0]):
            return Buildpack(name, Kind.DONE_HERE, instead)
    if name.startswith("./"):
        return _folder(name)
    if _SHORT.fullmatch(name):
        raise _short(name)
    return _address(name, ("https", "http") if plain_http else ("https",))


def _folder(name: str) -> Buildpack:
    if not _FOLDER.fullmatch(name):
        raise _no_buildpack(name)
    folder = name.removeprefix("./").rstrip("/")
    return Buildpack(f"./{folder}", Kind.FOLDER, folder)


def _address(name: str, schemes: tuple[str, ...]) -> Buildpack:
    try:
        parts = urlsplit(name)
        parts.port  # noqa: B018 - it raises for one that is no port
    except ValueError as error:
        raise _no_buildpack(name) from error
    if not _ADDRESS.fullmatch(name) or not parts.hostname or any(c in name for c in "\"'\\"):
        raise _no_buildpack(name)
    if parts.scheme not in schemes:
        raise refuse(
            "invalid_buildpack",
            f"The buildpack {_shown(name)} is at an address that does not begin with https://",
            "Write the https address of its git repository.",
        )
    ref, login = parts.fragment, parts.netloc.rpartition("@")[0]
    if ref and (not _REF.fullmatch(ref) or ".." in ref):
        raise refuse(
            "invalid_buildpack",
            f"The buildpack {_shown(name)} names {ref[:80]!r}, which is no branch, tag or commit",
            "Write it behind the address: https://github.com/owner/name#v1.2",
        )
    place = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    kind = Kind.ARCHIVE if parts.path.endswith(_ARCHIVE) else Kind.GIT
    return Buildpack(name, kind, place, ref, login)


def _short(name: str) -> Refused:
    owner, _, rest = name.lower().partition("/")
    where = "its own repository, e.g. https://github.com/owner/heroku-buildpack-name"
    if owner == "heroku" and rest in _HEROKUS:
        repository = "jvm-common" if rest == "jvm" else rest
        where = f"https://github.com/heroku/heroku-buildpack-{repository}"
    elif owner == "heroku-community":
        where = f"its repository, as a rule https://github.com/heroku/heroku-buildpack-{rest}"
    return refuse(
        "unknown_buildpack",
        f"The buildpack {name} is a name of Heroku's registry, which is not asked here",
        f"Give its URL: {where}",
    )


def _no_buildpack(name: str) -> Refused:
    return refuse(
        "invalid_buildpack",
        f"{_shown(name)[:120]!r} names no buildpack",
        f"Name the https address of a git repository or a .tgz, a folder of yours (./buildpack), "
        f"or {OURS}",
    )


def _shown(name: str) -> str:
    """Without what may be a password."""
    return re.sub(r"//[^/]*@", "//", name)
