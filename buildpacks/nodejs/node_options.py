"""NODE_OPTIONS while an app is built: what is meant for the running app must not stop its build.

`--require dd-trace/init` is loaded by npm itself too, before it has installed anything: without
this every build would fail, and no push could mend it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from buildpacks.findings import Notice
from buildpacks.tree import Tree

_LOADS = frozenset({"-r", "--require", "--import", "--loader", "--experimental-loader"})
_WAITS = ("--inspect", "--cpu-prof", "--heap-prof", "--permission", "--experimental-permission")
"""They wait for a debugger, write files into the tree, or keep npm from its work."""
_BLANK = " "
_VARIABLES = ("node_options", "npm_config_node_options")
_ROOT = "/app/"
_ENDINGS = ("", ".js", ".cjs", ".mjs", ".json", "/index.js", "/package.json")


@dataclass(frozen=True)
class Options:
    """`text` is what is left, `dropped` each option that is left out, with its value."""

    text: str
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class AtBuild:
    """What goes over the config vars: None takes one away."""

    for_manager: Mapping[str, str | None]
    for_scripts: Mapping[str, str | None]
    notices: tuple[Notice, ...]


def at_build(tree: Tree, installed: Collection[str], config: Mapping[str, str]) -> AtBuild:
    """Of an app's config vars; `installed` are the names of its dependencies."""

    def is_there(module: str) -> bool:
        return _is_there(tree, installed, module)

    named = [name for name in config if name.lower() in _VARIABLES]
    npm = {name: without_modules(config[name]) for name in named}
    scripts = {name: with_modules(config[name], is_there) for name in named}
    notices = tuple(
        Notice(
            "node_options_left_out",
            f"{name}: {', '.join(one.dropped)} is left out while the app is built",
            "It counts when the app runs.",
        )
        for name, one in scripts.items()
        if one.dropped
    )
    return AtBuild(_changed(config, npm), _changed(config, scripts), notices)


def without_modules(text: str) -> Options:
    """For the package manager: no module of the app's is loaded."""
    return _filtered(text, lambda _module: False)


def with_modules(text: str, is_there: Callable[[str], bool]) -> Options:
    """For the app's scripts: modules that are not there (yet) are not loaded."""
    return _filtered(text, is_there)


def _changed(config: Mapping[str, str], made: Mapping[str, Options]) -> dict[str, str | None]:
    return {name: one.text or None for name, one in made.items() if one.text != config[name]}


def _is_there(tree: Tree, installed: Collection[str], module: str) -> bool:
    path = module.removeprefix("file://").removeprefix(_ROOT)
    if path.startswith("./") or path != module:
        path = path.removeprefix("./")
        return any(tree.read(f"{path}{ending}", 1) is not None for ending in _ENDINGS)
    if module.startswith(("/", "node:", "data:")):
        return True
    parts = module.split("/")
    return "/".join(parts[: 2 if module.startswith("@") else 1]) in installed


def _filtered(text: str, is_there: Callable[[str], bool]) -> Options:
    kept: list[str] = []
    dropped: list[str] = []
    words = iter(_words(text))
    for word in words:
        name, equals, value = word.partition("=")
        if _plain(name) in _LOADS:
            value = value if equals else next(words, "")
            whole = word if equals else f"{word} {value}".rstrip()
            (kept if is_there(_plain(value)) else dropped).append(whole)
        elif _plain(name).startswith(_WAITS):
            dropped.append(word)
        else:
            kept.append(word)
    return Options(_BLANK.join(kept), tuple(dropped))


def _words(text: str) -> list[str]:
    """As Node.js splits them: at blanks outside double quotes, `\\` escapes inside them."""
    words, word, quoted, escaped = [], "", False, False
    for character in text:
        if character == _BLANK and not quoted:
            words.append(word)
            word = ""
            continue
        word += character
        if escaped:
            escaped = False
        elif character == "\\" and quoted:
            escaped = True
        elif character == '"':
            quoted = not quoted
    return [one for one in (*words, word) if one]


def _plain(word: str) -> str:
    """Without the quotes and escapes."""
    plain, escaped = "", False
    for character in word:
        if escaped or character not in '"\\':
            plain += character
            escaped = False
        else:
            escaped = character == "\\"
    return plain
