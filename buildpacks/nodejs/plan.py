"""Reads the tree of a Node.js app and decides how it is built and started."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from buildpacks import containers, runtimes
from buildpacks.findings import Notice, Refused, found_in
from buildpacks.nodejs import kept_files, key, known, manifest, scripts, steps, together, versions
from buildpacks.nodejs.app import App, based, read
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.package_manager import ManagerOffer
from buildpacks.nodejs.processes import beside, commands, types
from buildpacks.nodejs.processes.types import Commands
from buildpacks.nodejs.scripts import Again
from buildpacks.nodejs.steps import Over
from buildpacks.nodejs.together import Asked
from buildpacks.nodejs.versions import Offer
from buildpacks.plan import ManagerVersion, Plan, Previous, Process, Runtime
from buildpacks.tree import Tree, below

_CACHES = (".cache", ".next/cache", ".parcel-cache", ".turbo")
"""The first is where tools put what they fetch, because HOME is the app's folder."""


def detect(tree: Tree) -> bool:
    """Does the tree look like Node.js? Without package.json `plan` refuses, and says why."""
    names = tree.names()
    return any(name in names for name in ("package.json", "server.js", "index.js"))


@dataclass(frozen=True)
class Needs:
    """Whose versions `plan` chooses from: of the package manager, and of runtimes beside Node.js,
    by their places."""

    manager: str
    runtimes: frozenset[str] = frozenset()


def needs(tree: Tree, folder: str = "") -> Needs:
    """Any, where `plan` will refuse."""
    try:
        base, own = based(tree, folder), below(tree, folder)
        manager = known.of(base.tree, base.package).name
        scripts = {**base.package.scripts, **manifest.read(own).scripts}
        return Needs(manager, frozenset(beside.mentioned(own, scripts) - {manager}))
    except Refused:
        return Needs(known.KNOWN[0].name)


def plan(
    tree: Tree,
    *,
    folder: str = "",
    offer: Offer,
    managers: ManagerOffer | None = None,
    others: Mapping[str, runtimes.Offer] | None = None,
    architecture: str,
    config: Mapping[str, str] | None = None,
    previous: Previous | None = None,
    starts_elsewhere: bool = False,
) -> Plan:
    """Reads the tree and decides, for the app in `folder` of it. `config` are the app's config
    vars, `architecture` is Node.js's word for the machine's (`x64`, `arm64`), `managers` the
    versions of the app's package manager, `others` those of the runtimes that `needs` has. An app
    that `starts_elsewhere` need not say how: another buildpack does that later.

    Raises Refused with all that has to be changed first.
    """
    config, previous = config or {}, previous or Previous()
    managers = managers or ManagerOffer()
    asked = Asked(tree, folder, offer, managers, config, previous.runtime_major, starts_elsewhere)
    try:
        app = replace(read(tree, config, folder), starts_elsewhere=starts_elsewhere)
        with found_in(folder):
            return _plan(app, asked, others or {}, architecture, previous)
    except Refused as refused:
        raise Refused(*together.beside(refused.failure, asked)) from refused


def _plan(
    app: App,
    asked: Asked,
    others: Mapping[str, runtimes.Offer],
    architecture: str,
    previous: Previous,
) -> Plan:
    offer, package = asked.offer, app.package
    whole, last = asked.tree, previous.runtime_major
    runtime, runtime_notices = versions.resolve(*_asking(app, whole), offer, last)
    version, manager_notices = app.manager.choose(
        app.base.package, app.lock, runtime.version, asked.managers
    )
    found = types.find(app)
    prune = steps.prune(app, is_site=found.site is not None and not found.of)
    build = steps.build(app, found.build, found.at_build)
    prunes = bool(prune.command)
    start_notices = commands.check(app, found.of, prunes=prunes)
    wanted = key.dependencies_key(app, version.version, f"{runtime.major} {architecture}")
    again, over = _again(app, previous, wanted)
    install = steps.install(app, again, over, is_shared=previous.is_shared)
    processes = found.processes(package)
    further = _beside(app, found, version, others, previous)
    listed = _known_by([runtime, *further], processes)
    return Plan(
        manager=version,
        runtime=listed[0],
        beside=tuple(listed[1:]),
        prebuild=steps.prebuild(app),
        install=install,
        build=build,
        prune=prune,
        cleanup=steps.cleanup(app),
        processes=processes,
        expected=found.expected,
        site=found.site,
        notices=(
            *manifest.notices(app.tree),
            *(runtime_notices if listed[0] is runtime or runtime.source else ()),
            *known.notices(app.base.tree, app.manager),
            *manager_notices,
            *found.notices,
            *start_notices,
            *_occasional(app, is_first=previous.runtime_major is None, builds=bool(build.command)),
        ),
        dependencies_key=wanted,
        environment={"NODE_ENV": "production", **app.manager.at_run},
        caches=_caches(app),
        installs_afresh=install.command == app.manager.install,
        updates=over is Over.OTHERS and bool(install.command),
        repeats_scripts=bool(again),
        probe=_probe(app),
        has_dependencies=app.lock.has_packages,
        is_shareable=app.lock.has_packages and key.says_all(app),
        installed=tuple(posixpath.join(app.base.folder, path) for path in app.lock.folders),
        folder=app.folder,
        installs_in=app.base.folder,
    )


def _asking(app: App, whole: Tree) -> tuple[Tree, Manifest]:
    """Who of the app, its workspaces' root and the repository's says which Node.js it gets."""
    others = [(app.base.tree, app.base.package), (whole, Manifest())] if app.folder else []
    return next(
        (each for each in ((app.tree, app.package), *others) if versions.asks(*each)),
        (app.tree, app.package),
    )


def _beside(
    app: App,
    found: Commands,
    manager: ManagerVersion,
    others: Mapping[str, runtimes.Offer],
    previous: Previous,
) -> list[Runtime]:
    """The runtimes that the app has beside Node.js."""
    of, package = [command for command, _ in found.of.values()], app.package
    wanted = beside.called(of, package.scripts)
    listed = []
    if manager.name == runtimes.BUN.key:
        asked = (manager.requested, manager.source) if manager.source else ("", "")
        listed.append(Runtime(*asked, manager.version, "", runtimes.BUN.name, runtimes.BUN.key))
    for kind in (runtimes.BUN, runtimes.DENO):
        if kind.key in wanted and kind.key != manager.name and kind.key in others:
            ranges = runtimes.asked(kind, app.tree, package.engines, package.dev_engines)
            last = previous.majors.get(kind.key)
            listed.append(runtimes.resolve(kind, ranges, others[kind.key], last))
    return listed


def _known_by(listed: Sequence[Runtime], processes: Mapping[str, Process]) -> list[Runtime]:
    """The runtime of the web process first, or of the only process there is."""
    first = processes.get("web") or next(iter(processes.values()), None)
    place = first.place if first else ""
    return sorted(listed, key=lambda runtime: runtime.place != place)


def _caches(app: App) -> tuple[str, ...]:
    folders = dict.fromkeys(("", app.base.folder, app.folder))
    usual = [posixpath.join(folder, name) for folder in folders for name in _CACHES]
    own = [posixpath.join(app.folder, name) for name in app.package.cache_folders]
    return (*usual, *own)


def _again(app: App, previous: Previous, wanted: str) -> tuple[Again, Over]:
    """The scripts that run again over what is in place, and what that is."""
    over = _in_place(app, previous, wanted)
    installed = () if over is Over.NOTHING else previous.scripts or ()
    again = scripts.again(
        app.base.tree,
        app.base.package,
        app.lock.links,
        installed,
        ignored=app.ignores_scripts,
    )
    # Over other packages the app's own scripts might give something else than over fresh ones.
    usable = not again.unknown and not (over is Over.OTHERS and (again.own or again.own_gyp))
    return again, over if usable else Over.NOTHING


def _in_place(app: App, previous: Previous, wanted: str) -> Over:
    if previous.scripts is None:
        return Over.NOTHING
    if wanted == previous.dependencies_key:
        return Over.THE_SAME
    others = key.differs_in_packages_only(wanted, previous.dependencies_key)
    prebuilt = app.package.scripts.get("heroku-prebuild", "").strip()
    can = others and not prebuilt and app.manager.update(app.lock)
    return Over.OTHERS if can else Over.NOTHING


def _unused(tree: Tree) -> Iterator[Notice]:
    described = containers.named(tree.names())
    if described:
        does = "does" if len(described) == 1 else "do"
        message = f"{', '.join(described)} {does} nothing here: the app is built from package.json"
        yield Notice("containers_unused", message)


def _probe(app: App) -> tuple[str, ...]:
    runs = app.lock.has_install_scripts and not app.ignores_scripts
    return app.manager.probe(app.base.package, app.lock) if runs else ()


def _occasional(app: App, *, is_first: bool, builds: bool) -> Iterator[Notice]:
    """What is not worth saying at every build."""
    if is_first:
        yield from _unused(app.tree)
        yield from kept_files.notices(app.tree, app.package)
    if builds:
        yield from app.at_build.notices
