"""What buildpacks say, and what becomes of it."""

import os
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from buildpacks.classic import differences, processes, types
from buildpacks.classic.plan import process

HEROKUS = """---
addons: []
default_process_types:
  web: bundle exec rails server -p ${PORT:-5000} -e $RAILS_ENV
  console: 'bin/rails console'
  rake: bundle exec rake # a comment
"""


def test_process_types_as_herokus_buildpacks_print_them() -> None:
    found, without = types(HEROKUS)
    assert found == {
        "web": "bundle exec rails server -p ${PORT:-5000} -e $RAILS_ENV",
        "console": "bin/rails console",
        "rake": "bundle exec rake",
    }
    assert without == ()
    said = "config_vars:\n  PATH: /x\naddons:\n- a:b\ndefault_process_types: {web: bin/boot}"
    assert types(said) == ({"web": "bin/boot"}, ("addons", "config_vars"))
    assert types('{"default_process_types": {"web": "bin/boot"}}')[0] in ({}, {"web": "bin/boot"})


@given(st.text(max_size=300))
def test_whatever_is_printed_is_process_types_or_nothing(text: str) -> None:
    found, _ = types(text)
    assert all(name.isascii() and command.isprintable() for name, command in found.items())


def test_only_what_differs_is_taken_and_nothing_of_the_shells_own() -> None:
    shell = ["bash", "-c", '. "$1" >/dev/null 2>&1; exec env -0', "bash"]
    script = "export A='1\n2' PATH=/own:$PATH HOME=/x BASH_ENV=/evil; B=3"
    before = subprocess.check_output([*shell, "/dev/null"], env={"PATH": os.defpath, "C": "4"})
    after = subprocess.run(
        [*shell, "/dev/stdin"],
        input=script.encode(),
        env={"PATH": os.defpath, "C": "4"},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    assert differences(before, after) == {"A": "1\n2", "PATH": f"/own:{os.defpath}"}


def test_the_procfile_goes_over_the_later_buildpack_and_that_over_the_earlier() -> None:
    ours = {"web": process("web", "npm start", "package.json")}
    given = [{"web": "first", "a": "1"}, {"web": "last", "b": "2"}]

    def commands(written: bytes | None, at: int) -> dict[str, str]:
        found = processes(ours, given, written, at)
        return {type_: each.command for type_, each in found.items()}

    assert commands(None, 0) == {"web": "last", "a": "1", "b": "2"}
    assert commands(None, 2) == {"web": "npm start", "a": "1", "b": "2"}
    assert commands(b"b: mine\nweb: x\n", 2) == {"web": "x", "a": "1", "b": "mine"}
