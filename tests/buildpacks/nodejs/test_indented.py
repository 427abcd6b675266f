"""The YAML of lock files and settings is read as YAML means it; what is beyond is left out."""

import time

from buildpacks.nodejs import indented


def test_mappings_lists_and_scalars() -> None:
    assert indented.load(
        """
# a comment
packages:
- 'apps/*'
- "packages/**" # all
allowBuilds:
    esbuild: true
    '@a/b': false
npmScopes:
  foo: {npmRegistryServer: "http://x", a: b}
plugins:
  - path: .yarn/plugins/x.cjs
    spec: "@x"
after: [a, 'b c']
url: http://x:80/#y
"""
    ) == {
        "packages": ["apps/*", "packages/**"],
        "allowBuilds": {"esbuild": "true", "@a/b": "false"},
        "npmScopes": {"foo": {"npmRegistryServer": "http://x", "a": "b"}},
        "plugins": [{"path": ".yarn/plugins/x.cjs", "spec": "@x"}],
        "after": ["a", "b c"],
        "url": "http://x:80/#y",
    }


def test_of_several_documents_the_last_counts() -> None:
    assert indented.load("---\na: b\n---\nc: d\n") == {"c": "d"}


def test_what_is_beyond_it_is_left_out() -> None:
    assert indented.load("a: >-\n  x: y\n  z\nb: &c d\n!x\n%\n{\nc: d")["c"] == "d"
    assert indented.load("") == indented.load("- a") == indented.load("\t") == {}


def test_a_long_file_of_nonsense_takes_no_time() -> None:
    began = time.process_time()
    for line in ("a " * 999, '"' * 1999, "- " * 999, "{" * 1999, "a:" * 900):
        indented.load(f"{line}\n" * 1000)
    indented.load("".join(f"{' ' * depth}a:\n" for depth in range(1900)))
    assert time.process_time() - began < 10
