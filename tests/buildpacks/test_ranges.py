"""Version ranges are npm's: compared with npm's own `semver` on ranges made at random."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from buildpacks import ranges

VERSIONS = [
    f"{major}.{minor}.{patch}{tail}"
    for major in (0, 1, 18, 22)
    for minor in (0, 1, 5)
    for patch in (0, 2)
    for tail in ("", "-rc.1")
]
REFERENCE = """
const semver = require(process.argv[1]);
const { ranges, versions } = JSON.parse(require('fs').readFileSync(0));
console.log(JSON.stringify(ranges.map((range) =>
  semver.validRange(range) === null ? null : versions.filter((v) => semver.satisfies(v, range)))));
"""

number = st.sampled_from(["0", "1", "2", "5", "18", "22"])
wild = st.sampled_from(["x", "X", "*"])
core = st.one_of(
    wild,
    number,
    st.builds("{}.{}".format, number, st.one_of(number, wild)),
    st.builds("{}.{}.{}".format, number, number, st.one_of(number, wild)),
    st.builds("{}.x.x".format, number),
    st.builds("{}.{}.{}{}".format, number, number, number, st.sampled_from(["-rc.1", "-0", "+b"])),
)
operator = st.sampled_from(
    ["", "", "^", "~", "~>", ">", ">=", "<", "<=", "=", "v", "^ ", ">= ", "~ ", "=v", ">=v", "!"]
)
comparator = st.builds("{}{}".format, operator, core)
hyphen = st.builds("{} - {}".format, core, core)
alternative = st.one_of(hyphen, st.lists(comparator, min_size=0, max_size=3).map(" ".join))
ranges_made = st.builds(
    lambda parts, joint: joint.join(parts),
    st.lists(alternative, min_size=1, max_size=3),
    st.sampled_from(["||", " || "]),
)


def npm_semver() -> Path:
    """The `semver` that npm itself uses: of the host's npm, or of the wheel's."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not here to compare with")
    return Path(npm).resolve().parents[1] / "node_modules" / "semver"


@settings(max_examples=3, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.lists(ranges_made, min_size=150, max_size=200))
def test_ranges_mean_what_npm_says(made: list[str]) -> None:
    for text, expected in zip(made, reference(made), strict=True):
        if expected is None:
            assert not ranges.is_range(text), text
        else:
            # Beside an alternative that is `*`, npm forgets the pre-releases of the others.
            compared = [v for v in VERSIONS if "-" not in v or "||" not in text]
            ours = [v for v in compared if ranges.satisfies(v, text)]
            assert ours == [v for v in expected if v in compared], text


def reference(made: list[str]) -> list[list[str] | None]:
    done = subprocess.run(
        ["node", "-e", REFERENCE, str(npm_semver())],
        input=json.dumps({"ranges": made, "versions": VERSIONS}),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    answer: list[list[str] | None] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    "text", ["latest", "file:../x", "git+https://a/b", "npm:a@1", "^", "1" * 300]
)
def test_what_is_no_range_is_told_apart(text: str) -> None:
    assert not ranges.is_range(text)


def test_the_newest_is_by_number_and_not_by_text() -> None:
    assert ranges.newest(["24.9.0", "24.10.0", "24.2.0"], "24") == "24.10.0"
