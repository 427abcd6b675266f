"""The images that a node needs before it serves: what is missing is made at its start."""

import logging
from concurrent.futures import ThreadPoolExecutor

from paas.node.images import base, runtimes, stacks
from paas.node.images.store import Images
from paas.node.pools.interface import Pool
from paas.settings import Settings

_logger = logging.getLogger(__name__)


def prepare_images(settings: Settings, pool: Pool) -> Images:
    """The installed images, after cleaning up what a killed node left and making what is missing:

    the stacks from the cache, the base image, the first runtime. Only the node's process may call
    it. Milliseconds when nothing is missing. Raises UserError when there is no stack to import.
    """
    images = Images(pool)
    for done in images.sweep():
        _logger.warning("%s", done)
    with ThreadPoolExecutor(3) as workers:
        build = workers.submit(stacks.install, images, settings.cache, "build")
        run = workers.submit(stacks.install, images, settings.cache, "run")
        runtime = workers.submit(runtimes.install_first, images)
        base.install(images, build.result(), stacks.NAMESPACE)
        for made in (run, runtime):
            made.result()
    return images
