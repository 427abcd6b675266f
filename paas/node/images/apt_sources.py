"""The host's own apt sources, reduced to its distribution's: where a stack is taken from.

Pure but for reading `/etc/apt`. Mirrors, components and keys stay as the host has them; sources of
other vendors are left out, because a stack holds the distribution only.
"""

import re
from pathlib import Path

APT = Path("/etc/apt")


def distribution_sources(codename: str, folder: Path = APT) -> str:
    """deb822 stanzas of every active binary source whose suites are the codename's. May be
    empty.
    """
    stanzas = []
    for file in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]:
        if file.suffix == ".sources":
            stanzas += of_deb822(file.read_text(), codename)
        elif file.suffix == ".list" and file.is_file():
            stanzas += of_lines(file.read_text(), codename)
    return "\n\n".join(dict.fromkeys(stanzas)) + "\n" if stanzas else ""


def of_deb822(text: str, codename: str) -> list[str]:
    """Stanzas of a `.sources` file (sources.list(5)), with foreign suites taken out."""
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    chosen = []
    for stanza in re.split(r"\n\s*\n", plain):
        fields = _fields(stanza)
        suites = [suite for suite in fields.get("suites", "").split() if _is_of(suite, codename)]
        active = fields.get("enabled", "yes").lower() not in {"no", "false", "0"}
        if suites and active and "deb" in fields.get("types", "").split():
            fields |= {"types": "deb", "suites": " ".join(suites)}
            chosen.append(_stanza(fields))
    return chosen


def of_lines(text: str, codename: str) -> list[str]:
    """Lines of a `.list` file: `deb [ options ] uri suite component…`."""
    chosen = []
    for line in text.splitlines():
        match = re.fullmatch(
            r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>.*)",
            line.split("#")[0].strip(),
        )
        if match and _is_of(match["suite"], codename):
            fields = {"types": "deb", "uris": match["uri"], "suites": match["suite"]}
            fields["components"] = match["rest"].strip()
            options = dict(
                option.split("=", 1) for option in (match["options"] or "").split() if "=" in option
            )
            for option, field in (("signed-by", "signed-by"), ("trusted", "trusted")):
                if option in options:
                    fields[field] = options[option]
            chosen.append(_stanza({key: value for key, value in fields.items() if value}))
    return chosen


def _is_of(suite: str, codename: str) -> bool:
    return bool(re.fullmatch(rf"{re.escape(codename)}(-updates|-security|/updates)?", suite))


def _fields(stanza: str) -> dict[str, str]:
    """Names in lower case; a value may go on in indented lines (a key written out in Signed-By)."""
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1] in {" ", "\t"} and name:
            fields[name] += "\n" + line
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def _stanza(fields: dict[str, str]) -> str:
    known = ("types", "uris", "suites", "components", "signed-by", "trusted", "architectures")
    return "\n".join(f"{name.title()}: {fields[name]}" for name in known if name in fields)
