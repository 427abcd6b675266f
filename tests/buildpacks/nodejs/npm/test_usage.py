"""npm's usage text is left out of what a step prints. The text is npm 11's, shortened."""

from buildpacks.nodejs.npm.usage import WithoutUsage

PRINTED = """\
npm error code EUSAGE
npm error
npm error Missing: a@1.0.0 from lock file
npm error
npm error Clean install a project
npm error
npm error Usage:
npm error npm ci
npm error
npm error   --omit
npm error     Dependency types to omit from the installation tree on disk.
npm error
npm error Run "npm help ci" for more info
npm error A complete log of this run can be found in: /tmp/a.log
Usage: of something else
"""


def shown(text: str) -> list[str]:
    filtered = WithoutUsage()
    return [line for line in text.splitlines() if filtered.shows(line)]


def test_the_error_stays_and_the_usage_goes() -> None:
    lines = PRINTED.splitlines()
    assert shown(PRINTED) == [*lines[:4], *lines[-2:]]


def test_what_is_not_npms_own_ends_the_usage() -> None:
    assert shown("npm ERR! Usage:\nnpm ERR! npm ci\nnext line\nnpm ERR! code 1") == [
        "next line",
        "npm ERR! code 1",
    ]


def test_what_the_platform_told_npm_is_not_complained_of() -> None:
    said = 'npm warn Unknown env config "nodedir". This will stop working in the next major version'
    assert shown(f"{said}\nadded 1 package") == ["added 1 package"]
    mine = said.replace("nodedir", "mine")
    assert shown(mine) == [mine]
