"""The catalogue as a page for people: docs/failures.md. A test compares the two.

python -m buildpacks.nodejs.failures.page > docs/failures.md
"""

import re
from collections.abc import Iterator

from buildpacks.nodejs.failures import causes
from buildpacks.nodejs.failures.classify import typed
from buildpacks.nodejs.known import KNOWN
from buildpacks.nodejs.package_manager import PackageManager
from buildpacks.nodejs.rules import Rule

_HEAD = """# Why a build or a start fails

What the platform recognises when a step of a build fails, or an instance does not start. A push
ends with the cause and the hint, filled with the names from the app: its files, packages, lines.
Hints are commands for the app's own package manager (here npm's), meant to be typed as they stand;
a line that begins with "or" is another way. Causes are asked in this order, and the first that fits
is said; those in *italics* fit whatever of their kind the others leave.

The page is the catalogue: `python -m buildpacks.nodejs.failures.page > docs/failures.md`.
"""
_WORDS = {
    "mend": "<a command that spells the two alike>",
    "where": " (<file>, line <number>)",
    "now": "",
    "told": "npm install",
    "newer": "<add> <name>@latest",
    "refresh": "pnpm install --update-checksums --no-frozen-lockfile",
    "take": "npm pkg set overrides.sharp=^0.34 && npm install",
}


def page() -> str:
    return "\n".join([_HEAD, *_sections()]).rstrip() + "\n"


def _sections() -> Iterator[str]:
    managers = {f"Installing with {manager.name}": manager for manager in KNOWN}
    for subject, rules in causes.SUBJECTS.items():
        manager = managers.get(subject, KNOWN[0])
        warnings = manager.warnings if subject in managers else ()
        if not (rules or warnings):
            continue
        yield f"## {subject}\n"
        yield "| id | cause | what to do |\n| --- | --- | --- |"
        for rule in (*rules, *warnings):
            yield _row(rule, manager)
        yield ""


def _row(rule: Rule, manager: PackageManager) -> str:
    name = f"*{rule.id}*" if rule.is_general else rule.id
    return f"| {name} | {_text(rule.message, manager)} | {_text(rule.hint, manager)} |"


def _text(template: str, manager: PackageManager) -> str:
    words = {**typed(manager), **_WORDS, "approve": _approve(manager)}

    def word(match: re.Match[str]) -> str:
        return words.get(match[1], f"<{match[1]}>")

    plain = re.sub(r"(?<!\{)\{(\w+)\}(?!\})", word, template)
    plain = plain.replace("{{", "{").replace("}}", "}").replace("|", "\\|")
    return re.sub(r"<", "&lt;", plain).replace("\n", "<br>")


def _approve(manager: PackageManager) -> str:
    return re.sub(
        r"<([^>]+)>", lambda match: match[1].replace("*", "<name>"), manager.typed.approve
    )


if __name__ == "__main__":
    print(page(), end="")
