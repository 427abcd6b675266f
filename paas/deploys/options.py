"""Push options: `git push -o <option>`, or for every push `git config push.pushOption <option>`."""

from collections.abc import Sequence
from dataclasses import dataclass

from buildpacks import output

DETACH = "detach"
NO_CACHE = "no-cache"
SKIP = "skip"
GITLABS_SKIP = "ci.skip"
KNOWN = {
    DETACH: "return when the commits are stored; the build goes on by itself",
    NO_CACHE: "build from nothing",
    SKIP: f"store the commits, deploy nothing; GitLab's {GITLABS_SKIP} does the same",
}
_OF_OTHERS = (
    "ci.", "integrations.", "merge_request.", "mr.", "repo.", "secret_detection.",
    "secret_push_protection.",
)  # fmt: skip
"""What GitLab, Gitea and Forgejo know: such options stand in people's git configuration."""
_NAMED_MAX = 10


@dataclass(frozen=True)
class Options:
    detaches: bool
    from_nothing: bool
    skips: bool
    ignored: tuple[str, ...]
    unknown: tuple[str, ...]
    """Names without values, which may be secret (`ci.variable=…`)."""


def parse(given: Sequence[str]) -> Options:
    meant = [option for option in given if option not in (*KNOWN, GITLABS_SKIP)]
    names = tuple(dict.fromkeys(option.partition("=")[0][:80] for option in meant))
    ignored = tuple(name for name in names if name.startswith(_OF_OTHERS))
    return Options(
        detaches=DETACH in given,
        from_nothing=NO_CACHE in given,
        skips=SKIP in given or GITLABS_SKIP in given,
        ignored=ignored,
        unknown=tuple(name for name in names if name not in ignored),
    )


def say_known() -> str:
    lines = [f"git push -o {name}  ({does})" for name, does in KNOWN.items()]
    return output.problem("\n".join(["The push options that are known here:", *lines]))


def say_ignored(options: Options) -> str:
    """Nothing, where there are none."""
    if not options.ignored:
        return ""
    names = ", ".join(options.ignored[:_NAMED_MAX])
    return output.detail(f"Note: push options of other servers do nothing here: {names}")


def say_detached(build: str) -> str:
    said = output.step(f"Accepted; the build goes on by itself: {build[:8]}")
    said += output.detail(f"To follow it: paas builds:output {build[:8]}")
    return said + output.detail("Should it fail, this tries again: paas builds:create")


def say_skipped(branch: str, commit: str, *, is_first: bool) -> str:
    # Of two deployed branches `builds:create` alone takes the first.
    named = "" if is_first else f" --version {commit}"
    return output.step(f"Stored {branch} as asked, nothing is deployed") + output.detail(
        f"To deploy it: paas builds:create{named}"
    )
