"""The table of all causes, in the order in which they are asked: the first that fits counts.

Those of package managers come first (what a registry refuses before all), then by subject, from
the particular to the general. Each
matches only what ends a build or a start, never a warning of an attempt that was repeated.
"""

from buildpacks.nodejs.failures import (
    commands,
    environment,
    files,
    frameworks,
    installing,
    javascript,
    limits,
    listening,
    missing,
    modules,
    native,
    network,
    otherwise,
    registries,
    services,
    typescript,
    versions,
)
from buildpacks.nodejs.known import KNOWN
from buildpacks.nodejs.rules import Rule

SUBJECTS: dict[str, tuple[Rule, ...]] = {
    "Private registries": registries.RULES,
    **{f"Installing with {manager.name}": manager.rules for manager in KNOWN},
    "Disk, memory, processes": limits.RULES,
    "NODE_OPTIONS and config vars": environment.RULES,
    "Native modules and binaries": native.RULES,
    "Frameworks and Prisma": frameworks.RULES,
    "Versions of Node.js": versions.RULES,
    "Modules that are not found": missing.RULES,
    "import and require": modules.RULES,
    "TypeScript": typescript.RULES,
    "Commands and scripts": commands.RULES,
    "Installing": installing.RULES,
    "The network": network.RULES,
    "Ports": listening.RULES,
    "Databases and services": services.RULES,
    "Files": files.RULES,
    "The app's own code": javascript.RULES,
    "Otherwise": otherwise.RULES,
}

ALL: tuple[Rule, ...] = tuple(rule for rules in SUBJECTS.values() for rule in rules)
