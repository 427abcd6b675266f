"""Files: where an app may not write, and what is not what it seems."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.failures import facts
from buildpacks.nodejs.rules import ANY, Evidence, Rule


def _outside(_evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    path = match["path"]
    inside = path.startswith(("/app/", "/tmp/")) or path in ("/app", "/tmp")
    return None if inside else {"path": path, "name": path.rpartition("/")[2] or "data"}


def _absent(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    path = facts.in_app(match["path"])
    if not path or not match["path"].startswith(("/app/", ".")) or evidence.tree is None:
        return None
    if evidence.tree.read(path, 1) is not None or evidence.tree.names(path):
        return None
    return {"path": path}


def _dotenv(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    found = match["path"] or match["option"]
    return {"path": found.rpartition("/")[2]}


def _json(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    if "version ht" in evidence.tail:
        return None
    return {
        "name": facts.in_app(match["file"] or match["other"]) or "a file",
        "why": f": {match['why']}" if match["why"] else "",
    }


RULES = (
    Rule(
        "dotenv_missing",
        ANY,
        r"node: (?P<option>\.env[\w.]*): not found"
        r"|ENOENT[^\n]*open '(?P<path>[^'\n]*/?\.env[\w.]*)'",
        "{path} is not in the commit, as it should be: its values are config vars here",
        "Copy them: paas config:set $(grep -v '^#' {path} | xargs)\n"
        "and start without the file (node --env-file-if-exists={path}).",
        _dotenv,
    ),
    Rule(
        "no_write_outside_app",
        ANY,
        r"(?:EACCES|EROFS|EPERM|ENOENT): (?:permission denied|read-only file system|operation not "
        r"permitted|no such file or directory), "
        r"(?:mkdir|open|copyfile|rename|unlink|access|link|symlink)\w* '(?P<path>/[^'\n]{1,200})'",
        "the app wants to write {path}: it may write in /app and /tmp only",
        "Write to a path in /tmp, or beside the program "
        "(path.join(import.meta.dirname, '{name}')); "
        "what has to last belongs into a database or an object store.",
        _outside,
    ),
    Rule(
        "file_missing",
        ANY,
        r"ENOENT: no such file or directory, (?:open|stat|scandir|lstat|access) "
        r"'(?P<path>[^'\n]{1,200})'",
        "the app reads {path}, which is not in the commit",
        "If it is there on your side, git ignores it: git add --force {path} && "
        "git commit -m 'Add what is read'",
        _absent,
    ),
    Rule(
        "lfs_pointer",
        ANY,
        r"version https://git-lfs\.github\.com/spec/v1|Unexpected token '?v'?,? [^\n]*version ht",
        "a file is a pointer of Git LFS, not the file itself",
        "Send the files: git lfs push --all paas && git commit --allow-empty -m 'With its files'",
    ),
    Rule(
        "merge_conflict",
        ANY,
        r"^\s*(?:/app/)?(?P<file>[\w./@-]+):(?P<line>\d+)\s+<{7} |Unexpected token '<<'"
        r"|Merge conflict marker encountered",
        "the conflict of a merge stands in the app's code{where}",
        "See where: git grep -n '^<<<<<<< '\nand keep one side of each.",
        lambda _evidence, match: {
            "where": f" ({match['file']}, line {match['line']})" if match["file"] else ""
        },
    ),
    Rule(
        "json_invalid",
        ANY,
        r"SyntaxError: (?P<file>/app/[^\s:]+\.json): (?P<why>[^\n]{1,160})"
        r"|SyntaxError: \"?(?P<other>/app/[^\s:\"]+\.json)\"?[^\n]*",
        "{name} is no valid JSON{why}",
        "node -e 'JSON.parse(fs.readFileSync(process.argv[1]))' {name}",
        _json,
    ),
)
