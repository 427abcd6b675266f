"""What of pnpm's output belongs into a build's: no bars, no counts on the way, no box of lines."""

import re

_NOISE = re.compile(
    r"Progress: resolved|\++$|Packages are (?:hard linked|copied|cloned)"
    r"|\s+(?:Content-addressable|Virtual) store is at|Lockfile is up to date, resolution|[╭╰]"
    r"|│\s*│$|\? Verifying|\(node:\d+\) \[DEP|\(Use `node --trace|Update available!|Changelog: "
    r"|To update, run: |Already up to date"
    # A build has the app's .npmrc where its variables are expanded, too.
    r"|\s*\[?WARN\]?\s+Ignored project-level auth setting"
)


def is_worth_showing(line: str) -> bool:
    return not _NOISE.match(line)
