"""Reads the tree of a Node.js app and decides how it is built and started."""

from collections.abc import Iterator, Mapping

from buildpacks.findings import Notice, Refused
from buildpacks.nodejs import kept_files, key, known, manifest, scripts, steps, together, versions
from buildpacks.nodejs.app import App, read
from buildpacks.nodejs.package_manager import ManagerOffer
from buildpacks.nodejs.processes import commands, types
from buildpacks.nodejs.scripts import Again
from buildpacks.nodejs.steps import Over
from buildpacks.nodejs.together import Asked
from buildpacks.nodejs.versions import Offer
from buildpacks.plan import Plan, Previous
from buildpacks.tree import Tree

_CACHES = (".cache", ".next/cache", ".parcel-cache", ".turbo")
"""The first is where tools put what they fetch, because HOME is the app's folder."""


def detect(tree: Tree) -> bool:
    """Does the tree look like Node.js? Without package.json `plan` refuses, and says why."""
    names = tree.names()
    return any(name in names for name in ("package.json", "server.js", "index.js"))


def manager_of(tree: Tree) -> str:
    """The package manager whose versions `plan` chooses from; any, where `plan` will refuse."""
    try:
        return known.of(tree, manifest.read(tree)).name
    except Refused:
        return known.KNOWN[0].name


def plan(
    tree: Tree,
    *,
    offer: Offer,
    managers: ManagerOffer | None = None,
    architecture: str,
    config: Mapping[str, str] | None = None,
    previous: Previous | None = None,
) -> Plan:
    """Reads the tree and decides. `config` are the app's config vars, `architecture` is Node.js's
    word for the machine's (`x64`, `arm64`), `managers` the versions of the app's package manager.

    Raises Refused with all that has to be changed first.
    """
    config, previous = config or {}, previous or Previous()
    asked = Asked(tree, offer, managers or ManagerOffer(), config, previous.runtime_major)
    try:
        return _plan(asked, architecture, previous)
    except Refused as refused:
        raise Refused(*together.beside(refused.failure, asked)) from refused


def _plan(asked: Asked, architecture: str, previous: Previous) -> Plan:
    tree, offer, managers = asked.tree, asked.offer, asked.managers
    app = read(tree, asked.config)
    package = app.package
    runtime, runtime_notices = versions.resolve(tree, package, offer, previous.runtime_major)
    version, manager_notices = app.manager.choose(package, app.lock, runtime.version, managers)
    found = types.find(app)
    prune = steps.prune(app, is_site=found.site is not None and not found.of)
    build = steps.build(app, found.build, found.at_build)
    prunes = bool(prune.command)
    start_notices = commands.check(app, found.of, prunes=prunes)
    wanted = key.dependencies_key(app, version.version, f"{runtime.major} {architecture}")
    again, over = _again(app, previous, wanted)
    install = steps.install(app, again, over)
    return Plan(
        manager=version,
        runtime=runtime,
        prebuild=steps.prebuild(app),
        install=install,
        build=build,
        prune=prune,
        cleanup=steps.cleanup(app),
        processes=found.processes(package),
        expected=found.expected,
        site=found.site,
        notices=(
            *manifest.notices(tree),
            *runtime_notices,
            *known.notices(tree, app.manager),
            *manager_notices,
            *found.notices,
            *start_notices,
            *_occasional(app, is_first=previous.runtime_major is None, builds=bool(build.command)),
        ),
        dependencies_key=wanted,
        environment={"NODE_ENV": "production", **app.manager.at_run},
        caches=(*_CACHES, *app.package.cache_folders),
        installs_afresh=install.command == app.manager.install,
        updates=over is Over.OTHERS and bool(install.command),
        repeats_scripts=bool(again),
        probe=_probe(app),
        has_dependencies=app.lock.has_packages,
        installed=app.lock.folders,
    )


def _again(app: App, previous: Previous, wanted: str) -> tuple[Again, Over]:
    """The scripts that run again over what is in place, and what that is."""
    over = _in_place(app, previous, wanted)
    installed = () if over is Over.NOTHING else previous.scripts or ()
    again = scripts.again(
        app.tree, app.package, app.lock.links, installed, ignored=app.ignores_scripts
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


def _probe(app: App) -> tuple[str, ...]:
    runs = app.lock.has_install_scripts and not app.ignores_scripts
    return app.manager.probe(app.package, app.lock) if runs else ()


def _occasional(app: App, *, is_first: bool, builds: bool) -> Iterator[Notice]:
    """What is not worth saying at every build."""
    if is_first:
        yield from kept_files.notices(app.tree, app.package)
    if builds:
        yield from app.at_build.notices
