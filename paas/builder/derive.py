"""A build that runs nothing needs no zone: its image is another one with the commit's files.

That is the image of the app's release, or its trunk where nothing is to be pruned. It counts only
when no scripts were at work in it, and everything but the commit is what the plan wants.
"""

import asyncio
import contextlib
import logging
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from buildpacks import output
from buildpacks.plan import Plan
from gitserver import trees
from paas.builder import checkout, images, site, site_differences, zone
from paas.builder.work import Made, Origin, Start, Work
from paas.node.client import Manifest
from paas.node.errors import NodeError

_IN_A_ZONE_THEN = ("DeriveFailed", "ImageNotInstalled", "UnknownVerb")
"""What the node refuses so is built in the ordinary way: that may yet work, or says more."""
_PRUNED = "what it would leave is there"
log = logging.getLogger(__name__)


def origin(work: Work, start: Start, installed: Sequence[Manifest]) -> Origin | None:
    """The image to derive from, if the commit's image can be derived. Blocks."""
    if start.trunk is None or start.order.others or not _runs_nothing(start.plan):
        return None
    candidates = [(work.last_image, "app")]
    if not start.plan.prune.command and not start.plan.site:
        candidates.append((start.trunk.uuid, "trunk"))
    for image, role in candidates:
        commit = images.commit_of(installed, image, start.tree(role, work.app_id))
        if image and commit and trees.resolve(work.repository, commit) is not None:
            return Origin(image, commit, role)
    return None


def _runs_nothing(plan: Plan) -> bool:
    """Pruning does not count: what is started from is pruned already."""
    scripts = (plan.prebuild, plan.install, plan.build, plan.cleanup)
    ran = any(step.command for step in scripts) or plan.installs_afresh or plan.repeats_scripts
    searched = plan.site is not None and (len(plan.site.folders) > 1 or plan.folder != "")
    return not (ran or plan.expected or searched)


async def image(work: Work, start: Start, unclaimed: set[str]) -> Made | None:
    """None when it can't be made so; otherwise as a zone would make it."""
    if start.origin is None or start.trunk is None:
        return None
    async with work.timeline.step("image"), _folder() as folder:
        differences = await asyncio.to_thread(_differences, work, start, start.origin, folder)
        if differences is None:
            return None
        if start.origin.role == "app" and not (differences.files or differences.deleted):
            made: str | None = start.origin.uuid
        else:
            made = await _derive(work, start, start.origin, differences, unclaimed)
    if made is None:
        return None
    await _say(work, start.plan)
    return Made(start.trunk.uuid, made)


@contextlib.asynccontextmanager
async def _folder() -> AsyncIterator[Path]:
    """For what stands in no commit."""
    with tempfile.TemporaryDirectory(prefix="paas-image-") as folder:
        yield Path(folder)


def _differences(
    work: Work, start: Start, origin: Origin, folder: Path
) -> checkout.Checkout | None:
    """None where they are not all that is to be done."""
    plan = start.plan
    found = checkout.prepare(
        work.repository,
        work.commit,
        origin.commit,
        whole=False,
        npmrc=b"",
        modules=checkout.modules(plan),
        large=start.large,
        hides=start.ignored.hides,
    )
    if plan.has_dependencies and _touch_installed(found, plan):
        return None
    if plan.site:
        return site_differences.applied(plan.site, origin.commit, work.commit, found, folder)
    return found


def _touch_installed(differences: checkout.Checkout, plan: Plan) -> bool:
    """Files of git in what is the package manager's own, wherever in the tree that is."""
    own = tuple(f"{name}/".encode() for name in plan.installed)
    paths = [*differences.deleted, *(entry.path for entry in differences.files)]
    return any(
        b"node_modules" in path.split(b"/") or (path + b"/").startswith(own) for path in paths
    )


async def _derive(
    work: Work,
    start: Start,
    origin: Origin,
    differences: checkout.Checkout,
    unclaimed: set[str],
) -> str | None:
    made = str(uuid.uuid4())
    manifest = images.manifest(
        uuid=made,
        app_name=work.app_name,
        build_id=work.build_id,
        commit=work.commit,
        tree=start.tree("app", work.app_id),
    )
    unclaimed.add(made)
    try:
        async with zone.input_of(differences.write_differences) as stream:
            await work.node.derive_image(
                origin.uuid, manifest, quota_gib=zone.QUOTA_GIB, differences=stream
            )
    except NodeError as error:
        if error.code not in _IN_A_ZONE_THEN:
            raise
        log.warning("build %s goes on in a zone: %s", work.build_id, error.message)
        unclaimed.discard(made)
        return None
    return made


async def _say(work: Work, plan: Plan) -> None:
    if plan.site:
        await work.write(output.step(site.said(plan.site, plan.site.folders[0])))
        return
    for step in (plan.install, plan.prune):
        await work.write(output.step(f"{step.title}: skipped, {step.skip or _PRUNED}"))
