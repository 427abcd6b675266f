"""What an output means, whichever tool has spoken."""

from buildpacks import said


def test_colours_are_not_in_the_way() -> None:
    tail = (
        "\x1b[33mMissing\x1b[0m environment variables:\n    \x1b[34mAPI_TOKEN\x1b[0m: undefined\n"
    )
    assert said.classify("start", 1, tail).hint == "paas config:set API_TOKEN=<value>"
    blocked = [
        "npm warn install-scripts 1 package had install scripts \x1b[33mblocked\x1b[0m:",
        "npm warn install-scripts   bcrypt@6.0.0 \x1b[2m(install: node-gyp-build)\x1b[0m",
    ]
    (notice,) = said.noticed("install", blocked, "npm")
    assert notice.message.endswith("bcrypt")
