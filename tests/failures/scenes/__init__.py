"""The scenes, a module a subject."""

from tests.failures.scene import Scene
from tests.failures.scenes import checked, commands, managers, modules, native, npm, run, tools

SCENES: tuple[Scene, ...] = (
    *npm.SCENES,
    *managers.SCENES,
    *checked.SCENES,
    *native.SCENES,
    *modules.SCENES,
    *tools.SCENES,
    *commands.SCENES,
    *run.SCENES,
)
