"""A package manager as the builder handles it: how it gets into a build zone and works there.

The builder's side of the seam in `buildpacks.nodejs.package_manager`: for each that the buildpack
knows there is one here of the same name, in a module of its own, and in `tools.TOOLS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from buildpacks import ranges
from paas.settings import Settings


def no_binary(_version: str) -> str:
    return ""


@dataclass(frozen=True)
class Tool:
    """`packages` are its names in the npm registry, each by the first version that is taken from
    there: {"1.0.0": "yarn", "2.0.0": "@yarnpkg/cli-dist"}. Older ones are not offered.

    `unpack` is a shell script that reads the package's archive and makes of it `/opt/<name>/bin`.
    `binary` names the package that has what else the version needs for this processor, if anything;
    `unpack_binary` is the script for that. What Corepack's checksum is of is the archive, or the
    file `checked` in it. One that `is_runtime` is not unpacked in each app's zone: it is an image,
    which the zone mounts (`paas.builder.runtimes`), made by the same script.
    `cache` is a folder of the zone that goes before an image is made. `variables` are those of
    every step, over config vars: where its cache is, and how it finds the registry. The host's
    npm configuration is in the file `checkout.NPMRC`, for those that can read it. `tag` is the key
    in an image's tags that has the version beside the runtime's own. `distrusts` is a file in the
    root of the app that it reads, but for variables where it says who asks a registry.
    """

    name: str
    packages: Mapping[str, str]
    unpack: str
    cache: str
    tag: str
    variables: Callable[[Settings], Mapping[str, str]]
    binary: Callable[[str], str] = no_binary
    unpack_binary: str = ""
    checked: str = ""
    distrusts: str = ""
    is_runtime: bool = False

    def package(self, version: str) -> str:
        """The name in the registry that has this version; of one that is too old, the first."""
        wanted = ranges.release(version)
        older = [name for first, name in self.packages.items() if ranges.release(first) <= wanted]
        return older[-1] if older else next(iter(self.packages.values()))
