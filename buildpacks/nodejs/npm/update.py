"""Installing over what npm installed from an earlier lock file: only what differs is fetched.

`npm ci` begins by deleting every `node_modules`. `npm install` keeps what fits, but may also write
another lock file than the app's; then it has installed something else, and `npm ci` has to judge.
"""

from buildpacks.nodejs.package_manager import Lock

_FORMS = ("2", "3")
"""Older lock files don't name every place, so that npm decides anew where packages go."""

_IS_SAME = r"""
const { readFileSync, copyFileSync } = require('fs');
const [kept, path] = process.argv.slice(1);
const places = (file) => {
  const { packages } = JSON.parse(readFileSync(file, 'utf8'));
  return Object.entries(packages).filter(([place]) => place);
};
const [before, after] = [new Map(places(kept)), new Map(places(path))];
const differs = (one, other) => one !== undefined && other !== undefined && one !== other;
const same = (one, other) =>
  other &&
  one.version === other.version &&
  !one.link === !other.link &&
  !differs(one.integrity, other.integrity) &&
  !differs(one.resolved, other.resolved);
const changed = [...before].find(([place, entry]) => !same(entry, after.get(place)));
const added = [...after.keys()].find((place) => !before.has(place));
if (changed || added !== undefined) {
  console.log(`npm would change ${path}: ${added === undefined ? changed[0] : added}`);
  process.exit(1);
}
copyFileSync(kept, path);
"""
_UPDATE = (
    'kept=$(mktemp) && cp "$2" "$kept" && npm install --include=dev '
    '&& node -e "$1" "$kept" "$2" && rm -f "$kept"'
)


def command(lock: Lock) -> tuple[str, ...]:
    """Empty for lock files of npm 6."""
    return ("sh", "-c", _UPDATE, "sh", _IS_SAME, lock.path) if lock.form in _FORMS else ()
