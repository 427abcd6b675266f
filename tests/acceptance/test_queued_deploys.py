"""Deploys that run and wait, with real pushes: seen and cancelled, and nothing of them is left."""

from tests.acceptance.developer import Developer, read_until
from tests.acceptance.installation import Installation, run, until

LIMIT_S = 60.0


def test_a_push_that_runs_and_one_that_waits_are_cancelled(
    app: Developer, platform: Installation
) -> None:
    package = app.folder / "package.json"
    slow = '"build": "node -e \'console.log(1);setTimeout(()=>0,600000)\'", "start"'
    package.write_text(package.read_text().replace('"start"', slow))
    app.version("slow")
    app.commit("slow")
    running = app.begin("push", "paas", "HEAD:main")
    read_until(running, "Building")
    app.git("commit", "--quiet", "--allow-empty", "--message", "waits")
    waiting = app.begin("push", "paas", "HEAD:main")
    read_until(waiting, "Next in the queue, after build ")
    first, second = platform.json("deploys", "-a", app.app)
    assert (first["state"], second["state"], second["place"]) == ("running", "waiting", 1)
    place = f"/apps/{app.app}/builds/{second['build']['id']}"
    # As Heroku's plugin sends it.
    accept = "Accept: application/vnd.heroku+json; version=3.cancel-build"
    socket = str(platform.settings.control_socket)
    asked = ["curl", "-sf", "-X", "DELETE", "-H", accept, "--unix-socket", socket]
    assert run([*asked, f"http://localhost{place}"], platform.environment).status == 0
    _, rest = waiting.communicate(timeout=LIMIT_S)
    assert waiting.returncode != 0 and "main (cancelled by owner@localhost)" in rest
    platform.paas("builds:cancel", "-a", app.app)
    _, rest = running.communicate(timeout=LIMIT_S)
    assert "Cancelled by owner@localhost; what ran before runs on." in rest
    assert "main (cancelled by owner@localhost)" in rest
    assert platform.json("deploys", "-a", app.app) == []
    until(lambda: not platform.unsettled(), LIMIT_S, platform.unsettled)
    assert app.get().text == "one"
    package.write_text(package.read_text().replace("600000", "1"))
    app.release("after all")
    assert app.get().text == "after all"
