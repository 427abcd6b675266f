"""Plays scenes on a platform that runs, and keeps what the tools say as samples.

PAAS_INSTALLATION=mine paas up -d && python -m tests.failures.record <installation> [scene …]
"""

import secrets
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

from paas.settings import load
from tests.acceptance.developer import Developer
from tests.acceptance.installation import Installation
from tests.failures import sample
from tests.failures.scene import Scene, Story, tools
from tests.failures.scenes import SCENES


def main(*names: str) -> int:
    settings = load()
    home = Path(tempfile.mkdtemp())
    installation = Installation(settings, home)
    chosen = [scene for scene in SCENES if not names or scene.name in names]
    bad = [scene.name for scene in chosen if not _play(installation, scene, home / scene.name)]
    shutil.rmtree(home, ignore_errors=True)
    print(f"{len(chosen)} scenes, not as they should be: {', '.join(bad) or 'none'}")
    return 1 if bad else 0


def _play(installation: Installation, scene: Scene, folder: Path) -> bool:
    app = f"scene-{secrets.token_hex(3)}"
    (folder / app).mkdir(parents=True)
    developer = Developer(installation, app, folder / app)
    developer.git("init", "--quiet", "--initial-branch=main")
    installation.paas("create", app, folder=developer.folder)
    try:
        story = Story(scene, developer, tools(folder / "bin", scene.tools))
        story.begin()
        told = story.push()
        print(f"===== {scene.name}", *told.problems, *told.notes, sep="\n  ", flush=True)
        if scene.step != "preflight" and not scene.passes:
            sample.record(scene, told, developer.folder)
        if scene.mendable:
            story.follow(told)
            again = story.push()
            story.is_mended(again)
            sample.record_passed(scene, again)
    except Exception:
        traceback.print_exc()
        return False
    finally:
        installation.paas("destroy", app, "--confirm", app, check=False)
        shutil.rmtree(folder, ignore_errors=True)
    return True


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
