"""Real apps from their makers' generators, pushed twice by git: the right content answers."""

import re
import shutil
from pathlib import Path

import pytest

from tests import npm_commands
from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import Developer, remote_lines
from tests.acceptance.installation import Finished, until
from tests.apps.conftest import Chosen
from tests.apps.generated import APPS, App

GENERATE_TIMEOUT_S = 900
GENERATE_ATTEMPTS = 3
PUSH_TIMEOUT_S = 1500
pytestmark = [pytest.mark.apps, pytest.mark.root, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("app", APPS, ids=[app.name for app in APPS])
def test_a_real_app_is_live_and_so_is_its_next_version(
    new_app: NewApp, npm_environment: dict[str, str], chosen: Chosen, app: App
) -> None:
    chosen.check_time()
    developer = new_app(prefix=app.name)
    try:
        generate(developer, npm_environment, app)
    except AssertionError as error:
        chosen.leave_out(f"{app.name} can't be made: {error}")
    if app.config:
        developer.paas("config:set", *app.config)
    if app.is_refused_first:
        refused = push(developer, check=False)
        assert refused.status == 1, refused.text
        follow(developer, npm_environment, hint(refused, "!"))
    elif app.advice:
        said = push(developer, check=False)
        follow(developer, npm_environment, hint(said, app.advice))
    first = push(developer, check=False)
    if first.status:
        by_hand(developer, npm_environment, chosen, app)
        raise AssertionError(f"{first.text}\n{developer.installation.log()}")
    shows(developer, app, app.before, first)
    app.edit(developer.folder)
    developer.commit("Change")
    second = push(developer)
    if app.lock_file:
        assert f"skipped, {app.lock_file} has not changed" in second.err, second.err
    shows(developer, app, app.after, second)


def generate(developer: Developer, environment: dict[str, str], app: App) -> None:
    """Anew when the registry can't be reached: that is no fault of the platform's."""
    for attempt in range(GENERATE_ATTEMPTS):
        try:
            make(developer.folder, environment, app)
            break
        except npm_commands.RegistryAway:
            if attempt == GENERATE_ATTEMPTS - 1:
                raise
    developer.commit("As it was generated")


def by_hand(developer: Developer, environment: dict[str, str], chosen: Chosen, app: App) -> None:
    """Returns if the app can be built: then it is the platform that can't.

    What does not build anywhere is somebody's release of last night.
    """
    variables = dict(item.split("=", 1) for item in app.config)
    try:
        npm_commands.run(
            app.by_hand, developer.folder, {**environment, **variables}, GENERATE_TIMEOUT_S
        )
    except AssertionError as error:
        chosen.leave_out(f"{app.name} is not built without the platform either: {error}")


def make(folder: Path, environment: dict[str, str], app: App) -> None:
    for path in folder.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for command in app.commands:
        npm_commands.run(command, folder, environment, GENERATE_TIMEOUT_S)
    for name, content in (app.files or {}).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


def push(developer: Developer, *, check: bool = True) -> Finished:
    return developer.git("push", "paas", "HEAD:main", check=check, timeout_s=PUSH_TIMEOUT_S)


def hint(pushed: Finished, what: str) -> str:
    """The line of commands among what a push said that ends in a commit."""
    lines = [line for line in remote_lines(pushed) if "&& git commit" in line and what in line]
    assert lines, pushed.err
    return re.sub(r"^[ !]*(?:[A-Z][^:`]*: )?", "", lines[-1])


def follow(developer: Developer, environment: dict[str, str], commands: str) -> None:
    npm_commands.run(commands, developer.folder, environment, GENERATE_TIMEOUT_S)


def shows(developer: Developer, app: App, content: str, pushed: Finished) -> None:
    def answer() -> str:
        return developer.get(app.path).text

    def found() -> str:
        log = developer.paas("logs", "-n", "100", check=False).text
        return f"{answer()[:2000]}\n{pushed.err}\n{log}"

    until(lambda: content in answer(), 30, found)
