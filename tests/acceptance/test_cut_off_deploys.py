"""A deploy cut off in the middle: afterwards one version serves whole, and nothing is left over."""

import subprocess
import time
from dataclasses import dataclass

import pytest

from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import Developer, interrupt, read_until
from tests.acceptance.installation import BIN, Installation, until
from tests.acceptance.load import Load

LIMIT_S = 60.0


@dataclass(frozen=True)
class Moment:
    """So many seconds after the push has printed `line`."""

    line: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s after {self.line}"


MOMENTS = (
    Moment("Node.js app detected", 0.0),
    Moment("Installing dependencies", 0.0),
    Moment("Building now", 0.3),
    Moment("Launching", 0.0),
    Moment("Launching", 0.08),
    Moment("Launching", 0.2),
    Moment("Launching", 0.35),
)
KILLED = {"paas.control": MOMENTS, "paas.node.server": MOMENTS[::2]}


@pytest.mark.parametrize("module", KILLED)
def test_a_deploy_that_is_cut_off_is_whole_or_undone(
    app: Developer, platform: Installation, module: str
) -> None:
    package = app.folder / "package.json"
    script = '"build": "echo Building now; sleep 0.6", "start"'
    package.write_text(package.read_text().replace('"start"', script))
    live = "one"
    host = f"{app.app}.localhost"
    with Load(platform.settings.router_port, host) as load:
        for number, moment in enumerate(KILLED[module]):
            version = f"cut-{number}"
            app.version(version)
            app.commit(version)
            push = app.begin("push", "paas", "HEAD:main")
            read_until(push, moment.line)
            time.sleep(moment.seconds)
            platform.kill(module)
            _, rest = push.communicate(timeout=90)
            platform.settled()
            live = whole(app, load, {live, version}, str(moment))
            assert push.returncode != 0 or live == version, f"{moment}: {rest}"
            assert ref(app) == commit_of(app, live), str(moment)
        app.release("after all")
        assert app.get().text == "after all"
        load.more()
    assert not load.failures(), load.failures()[:5]


@pytest.mark.parametrize("moment", MOMENTS[3:], ids=str)
def test_ctrl_c_near_the_switch_leaves_one_version_and_the_ref_that_belongs_to_it(
    app: Developer, platform: Installation, moment: Moment
) -> None:
    with Load(platform.settings.router_port, f"{app.app}.localhost") as load:
        app.version("two")
        app.commit("two")
        push = app.begin("push", "paas", "HEAD:main")
        read_until(push, moment.line)
        time.sleep(moment.seconds)
        interrupt(push)
        platform.settled()
        live = whole(app, load, {"one", "two"}, str(moment))
        assert ref(app) == commit_of(app, live)
        builds = platform.json("builds", "--app", app.app)
        assert builds[0]["status"] == ("succeeded" if live == "two" else "failed")
        app.release("three")
        assert app.get().text == "three"
    assert not load.failures(), load.failures()[:5]


def whole(app: Developer, load: Load, versions: set[str], moment: str) -> str:
    """The one version that answers all requests."""
    settled = time.monotonic()
    load.more(15)
    answers = load.bodies_since(settled)
    assert len(answers) == 1 and answers <= versions, f"{moment}: {answers}, not of {versions}"
    return answers.pop()


def ref(app: Developer) -> str:
    return app.git("ls-remote", "paas", "refs/heads/main").out.split()[0]


def commit_of(app: Developer, version: str) -> str:
    """The newest commit whose message is the version (the first says `First version`)."""
    message = "First version" if version == "one" else version
    return app.git("log", "-1", "--format=%H", f"--grep=^{message}$").out.strip()


@pytest.mark.parametrize("seconds", [0.0, pytest.param(0.15, marks=pytest.mark.long), 0.4])
def test_a_promotion_that_is_cut_off_is_whole_or_undone(
    app: Developer, new_app: NewApp, platform: Installation, seconds: float
) -> None:
    """Killed so long after it was recorded; the target answers with one version or the other."""
    target = new_app()
    target.version("before")
    target.commit("before")
    target.push()
    platform.paas("pipelines:create", f"p{app.app[-6:]}", "-a", app.app, "-s", "staging")
    platform.paas("pipelines:add", f"p{app.app[-6:]}", "-a", target.app, "-s", "production")
    words = [str(BIN / "paas"), "pipelines:promote", "-a", app.app]
    recorded = "select count(*) from promotion_targets t join apps a on a.id = t.app_id "
    recorded += f"where a.name = '{target.app}'"
    with subprocess.Popen(
        words, env=platform.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as promoting:
        until(lambda: platform.query(recorded) == [(1,)], LIMIT_S)
        time.sleep(seconds)
        platform.kill("paas.control")
        promoting.wait(90)
    platform.settled()
    status = recorded.replace("count(*)", "t.status")
    until(lambda: platform.query(status)[0][0] != "pending", LIMIT_S)
    live = {"succeeded": "one", "failed": "before"}[platform.query(status)[0][0]]
    assert target.get().text == live
    platform.paas("pipelines:promote", "-a", app.app)
    assert target.get().text == "one"
    platform.paas("pipelines:destroy", f"p{app.app[-6:]}")
