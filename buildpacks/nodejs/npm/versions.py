"""Which npm a build uses: the one that the app asks for, else the one that its runtime brings.

npm itself refuses to work under `engine-strict` or `devEngines` that it does not fit.
"""

from buildpacks import ranges
from buildpacks.findings import Notice
from buildpacks.nodejs import asked
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.package_manager import ManagerOffer
from buildpacks.plan import ManagerVersion

OLDEST = "6.0.0"
_SUPPORTS = (
    ("^20.17.0 || >=22.9.0", "11.x"),
    ("^18.17.0 || >=20.5.0", "10.x"),
    ("^14.17.0 || ^16.13.0 || >=18.0.0", "9.x"),
    ("^12.13.0 || ^14.15.0 || >=16.0.0", "8.x"),
    (">=10.0.0", "7.x"),
)
"""engines.node of each major of npm. Those before 7 can't read the lock files of those after."""


def for_runtime(nodejs: str, offer: ManagerOffer) -> str:
    """The npm that belongs into a runtime: the platform's own where that supports it, else the
    newest that does, else nothing.
    """
    if ranges.satisfies(nodejs, offer.own_supports):
        return offer.own
    supported = [wanted for node, wanted in _SUPPORTS if ranges.satisfies(nodejs, node)]
    found = (ranges.newest(offer.available, wanted) for wanted in supported)
    return next((version for version in found if version), "")


def resolve(
    package: Manifest, nodejs: str, offer: ManagerOffer
) -> tuple[ManagerVersion, list[Notice]]:
    """Raises Refused for a request that can't be read, or that nothing satisfies."""
    wanted = asked.read(package, "npm")
    own = offer.in_runtimes.get(nodejs) or for_runtime(nodejs, offer)
    if not wanted.ranges or (own and wanted.allows(own)):
        return ManagerVersion("npm"), []
    version = asked.choose(wanted, offer.available, lambda each: _supports(each, nodejs))
    if version is None:
        raise asked.unsatisfiable("npm", wanted, offer.available)
    source, requested = next(iter(wanted.ranges.items()))
    release = ManagerVersion("npm", version, source, requested, wanted.checksum)
    return release, _notices(version, nodejs, source)


def _supports(version: str, nodejs: str) -> bool:
    """Was this npm made for that Node.js? Of a major that is not known yet: so it is hoped."""
    node = next((node for node, major in _SUPPORTS if ranges.satisfies(version, major)), ">=20.17")
    return ranges.release(version)[0] >= 7 and ranges.satisfies(nodejs, node)


def _notices(version: str, nodejs: str, source: str) -> list[Notice]:
    if _supports(version, nodejs):
        return []
    message = f"{source} asks for npm {version}, which was not made for Node.js {nodejs}"
    return [Notice("npm_too_old", message, "If npm fails, ask for a newer one there.")]
