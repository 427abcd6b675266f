"""Several apps from one repository: each is a folder of it, and is pushed to by its own remote."""

from pathlib import Path

from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import remote_lines

SERVER = """
const {{ createServer }} = require('http');
createServer((_, out) => out.end('{0} ' + require('../shared'))).listen(process.env.PORT);
"""


def two_services(folder: Path) -> None:
    for path in folder.glob("[!.]*"):
        path.unlink()
    (folder / "shared.js").write_text("module.exports = 'shared'")
    for name in ("api", "web"):
        (folder / name).mkdir()
        (folder / name / "server.js").write_text(SERVER.format(name))
        (folder / name / "package.json").write_text('{"scripts": {"start": "node server.js"}}')


def test_two_apps_of_one_repository_have_roots_of_their_own(new_app: NewApp) -> None:
    api, web = new_app(prefix="api"), new_app(prefix="web")
    two_services(api.folder)
    api.commit()
    refused = api.push(check=False)
    assert refused.status == 1, refused.text
    # The first folder is in the hint, which is followed to the letter.
    hint = next(line for line in remote_lines(refused) if "paas apps:set" in line)
    assert hint.endswith("paas apps:set --root api")
    api.paas("apps:set", "--root", "api")
    said = "\n".join(remote_lines(api.push()))
    assert "Node.js app detected in api" in said
    assert api.get().text == "api shared"

    web.paas("apps:set", "--root", "wbe")
    remote = ("git:remote", "--remote", "web", "--app", web.app)
    api.installation.paas(*remote, folder=api.folder)
    wrong = api.push("web", "HEAD:main", check=False)
    assert wrong.status == 1
    text = "\n".join(remote_lines(wrong))
    assert "no such folder. Folders with a package.json: api, web" in text
    assert "paas apps:set --root web" in text
    web.paas("apps:set", "--root", "web/")
    api.push("web", "HEAD:main")
    assert web.get().text == "web shared"
    assert "web" in web.paas("info").out
    assert api.get().text == "api shared"


def test_herokus_config_var_for_it_is_obeyed(new_app: NewApp) -> None:
    developer = new_app()
    two_services(developer.folder)
    developer.commit()
    developer.paas("config:set", "PROJECT_PATH=web")
    developer.push()
    assert developer.get().text == "web shared"
