"""People on the real platform, by the `paas` and by the unmodified `heroku` command."""

import os
import re
from pathlib import Path

from tests.acceptance.developer import Developer
from tests.acceptance.installation import BIN, Finished, Installation, run
from tests.acceptance.terminal import terminal
from tests.acceptance.test_heroku_command import (  # noqa: F401
    Heroku,
    environment,
    heroku,
    program,
)

PASSWORD = "correct horse battery"


def test_access_and_a_login_by_password_with_the_heroku_command(
    platform: Installation,
    program: Path,  # noqa: F811
    environment: dict[str, str],  # noqa: F811
    heroku: Heroku,  # noqa: F811
    app: Developer,
) -> None:
    """`access:update` is left out: the command refuses it for apps that no team owns."""
    email, name = f"ada-{os.urandom(3).hex()}@example.com", app.app
    with terminal(
        [str(BIN / "paas"), "accounts:add", email, "--password"], platform.environment, app.folder
    ) as operator:
        for asked in ("New password: ", "Once more: "):
            operator.until(asked)
            operator.type(f"{PASSWORD}\n")
        status, said = operator.ends()
        assert status == 0 and PASSWORD not in said, said
    hers = {key: text for key, text in environment.items() if key != "HEROKU_API_KEY"}
    hers |= {"HOME": str(platform.home / email), "XDG_DATA_HOME": str(platform.home / email)}
    (platform.home / email).mkdir()
    with terminal(["node", str(program), "login", "-i"], hers, app.folder) as user:
        user.until("Email")
        user.type(f"{email}\r")
        user.until("Password")
        user.type(f"{PASSWORD}\r")
        assert user.ends()[0] == 0
    netrc = (platform.home / email / ".netrc").read_text()
    assert f"login {email}" in netrc

    def she(*words: str) -> Finished:
        return run(["node", str(program), *words], hers, folder=app.folder)

    assert email in she("auth:whoami").out
    absent, there = she("ps", "-a", "absent-app"), she("ps", "-a", name)
    assert there.status != 0 and there.text.replace(name, "absent-app") == absent.text
    heroku("access:add", email, "-a", name)
    assert re.search(
        rf"{email}\s+collaborator\s+deploy, operate, view", heroku("access", "-a", name).out
    )
    assert "web.1: up" in she("ps", "-a", name).text
    assert she("access:add", "bo@example.com", "-a", name).status != 0
    heroku("access:remove", email, "-a", name)
    assert she("ps", "-a", name).text == there.text
    heroku("apps:transfer", email, "-a", name)
    assert email in platform.paas("info", "-a", name, "--json").out
    assert "web.1: up" in she("ps", "-a", name).text
    trail = platform.paas("audit", "-a", name).out
    assert "git push" in trail and f"({name} to {email}: accepted)" in trail
