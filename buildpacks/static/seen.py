"""What a build has left to serve: looked for where it was built, and judged by what was printed."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from buildpacks.findings import Failure
from buildpacks.plan import Site

FILE_BYTES_MAX = 256 * 1024
COMPRESSED_FROM_BYTES = 512
"""A shorter text stays as it is (find's `-size +1`)."""
_SHOWN_MAX = 8
TEXTS = (
    *("html", "htm", "css", "js", "mjs", "json", "svg", "xml", "txt", "md", "csv", "wasm", "map"),
    *("webmanifest", "ttf", "otf", "ico"),
)

# Run in the tree, with the folders as its arguments. Each line is a word and a value; lines are
# short, because long ones are cut on their way. Text is compressed beside itself: nothing has to be
# while visitors wait. No link is left: those inside the folder become what they lead to. (nginx
# could refuse links itself, but its module for brotli serves nothing then.)
LOOK = """
found=
for folder in "$@"; do
  if [ -f "./$folder/index.html" ] && [ ! -L "./$folder" ]; then
    found=1
    break
  fi
done
if [ -z "$found" ]; then
  find . -maxdepth 4 \\( -name node_modules -o -name '.?*' \\) -prune -o \\
    -name index.html -printf '%h\\n' |
    head -n 20 | cut -c 1-200 | sed 's/^/elsewhere /'
  exit 0
fi
cd "./$folder"
printf 'folder %s\\n' "$folder"
modules=./node_modules
[ -z "$folder" ] || modules=./nowhere
for name in 404.html 200.html; do
  [ ! -f "$name" ] || echo "page $name"
done
for name in _redirects _headers; do
  [ ! -f "$name" ] || head -c 262144 "$name" | base64 -w 900 | sed "s/^/$name /"
done
top=$(pwd -P)
find . \\( -path "$modules" -o -name '.?*' ! -name .well-known \\) -prune -o -type l -print |
while IFS= read -r link; do
  target=$(realpath -e -- "$link" 2>/dev/null) || target=
  case $target in
    "$top"*/.*) rm -- "$link" ;;
    "$top"/*)
      rm -- "$link"
      [ -f "$target" ] && cp -p -- "$target" "$link" && continue ;;
    *) rm -- "$link" ;;
  esac
  printf 'link %s\\n' "$link" | cut -c 1-200
done
find . \\( -path "$modules" -o -name '.?*' ! -name .well-known \\) -prune -o -type f -size +1 \\
  -regextype posix-egrep -iregex '.*\\.(TEXTS)' -print0 > /tmp/texts
xargs -0 -r -n 64 -P 2 gzip -9 -n -k -f -- < /tmp/texts
xargs -0 -r -n 64 -P 2 brotli -q 9 -k -f -- < /tmp/texts
rm -f /tmp/texts
""".replace("TEXTS", "|".join(TEXTS))


@dataclass(frozen=True)
class Seen:
    """`folder` is None where none of the site's folders has an index.html; then `elsewhere` are
    those that have one. `pages` are names of special pages; `links` lead out of the folder."""

    folder: str | None = None
    elsewhere: tuple[str, ...] = ()
    pages: frozenset[str] = frozenset()
    redirects: str = ""
    headers: str = ""
    links: tuple[str, ...] = ()


def read(lines: Sequence[str]) -> Seen:
    """From what LOOK has printed, which a build may have meddled with."""
    words: dict[str, list[str]] = {}
    for line in lines:
        word, _, value = line.partition(" ")
        words.setdefault(word, []).append(value)
    folder = words.get("folder")
    return Seen(
        folder=folder[0] if folder else None,
        elsewhere=tuple(text.removeprefix("./") for text in words.get("elsewhere", ())),
        pages=frozenset(words.get("page", ())),
        redirects=_text(words.get("_redirects", ())),
        headers=_text(words.get("_headers", ())),
        links=tuple(text.removeprefix("./") for text in words.get("link", ())),
    )


def lost(site: Site, seen: Seen) -> Failure:
    """No folder has what was to be served: what there is instead."""
    wanted = " or ".join(f"{folder or '.'}/index.html" for folder in site.folders)
    others = ", ".join(folder or "." for folder in seen.elsewhere[:_SHOWN_MAX])
    found = f"there is an index.html in: {others}" if others else "there is no index.html at all"
    example = next(iter(seen.elsewhere), "dist")
    return Failure(
        "site_missing",
        f"after the build there is no {wanted} ({site.source}); {found}",
        f"""Name the folder: echo '{{"root": "{example}"}}' > static.json && git add static.json """
        "&& git commit -m 'Say what is served'",
    )


def _text(pieces: Sequence[str]) -> str:
    try:
        return base64.b64decode("".join(pieces), validate=True).decode("utf-8-sig", "replace")
    except binascii.Error:
        return ""
