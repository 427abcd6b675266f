"""Writes docs/vmadm.md: every command, option and property of SmartOS's vmadm(8) beside ours.

    python -m paas.node.commands.reference > docs/vmadm.md

A test holds the page to what this gives.
"""

from collections.abc import Iterable, Iterator

from paas.node.commands import manual
from paas.node.machines import foreign, nested, payload
from paas.node.machines.table import ABSENT, Property

_HEAD = """\
# vmadm, beside SmartOS's

Made by `python -m paas.node.commands.reference` from the tables that the command and the node
work by: change those.

*same*: as vmadm(8) of SmartOS has it. *narrower*: less, and why. *absent*: not built; what asks for
it is **refused by name**. *dropped*: for virtual machines. What no row names is unknown, and is
dropped with a warning on standard error, as on SmartOS.

Data goes to standard output, every text for people to standard error. Exit status: 0, 1 for an
error, 2 for wrong usage. A refusal of what is not built reads
`Known and not built on this node: firewall_enabled (…)`.
"""


def page() -> str:
    """The whole text."""
    lines = [
        _HEAD,
        "## Commands\n",
        *table(("command", "does", "SmartOS's", "why"), command_rows(manual.COMMANDS)),
        "",
        "## Options\n",
        *table(
            ("command", "option", "means", "SmartOS's", "why"),
            option_rows(manual.EVERYWHERE, manual.COMMANDS),
        ),
        "",
        "## Properties\n",
        "`set`: at create (C), receive (R), update (U). `counts`: when a change does.\n",
        *table(_COLUMNS, (_row(row.name, row) for row in payload.TABLE.values())),
        "",
        "## Inside nics, filesystems, disks and pci_devices\n",
        *table(_COLUMNS, _nested()),
        "",
        "## Read only\n",
        f"As there: {_names(foreign.SHOWN)}.\n",
        f"Ours alone: {_names(foreign.SHOWN_HERE)}.\n",
        f"Never with a value here: {_names(foreign.NOT_SHOWN)}.",
    ]
    return "\n".join(lines) + "\n"


_COLUMNS = ("property", "type", "brands", "set", "default", "bounds", "counts", "SmartOS's", "why")


def command_rows(commands: Iterable[manual.Command]) -> Iterator[tuple[str, ...]]:
    for command in commands:
        names = ", ".join(f"`{name}`" for name in command.names)
        yield (names, command.help, command.standing, command.why)


def option_rows(
    everywhere: Iterable[manual.Option], commands: Iterable[manual.Command]
) -> Iterator[tuple[str, ...]]:
    for option in everywhere:
        yield ("all", _spelled(option), option.help, option.standing, option.why)
    for command in commands:
        for option in command.options:
            name = f"`{command.names[0]}`"
            yield (name, _spelled(option), option.help, option.standing, option.why)


def _spelled(option: manual.Option) -> str:
    value = f" {option.value}" if option.value else ""
    long = f"`--{option.word}{value}`"
    return f"`-{option.letter}`, {long}" if option.letter else long


def _nested() -> Iterator[tuple[str, ...]]:
    for name, rows in nested.NESTED.items():
        for row in rows.values():
            yield _row(f"{name}.*.{row.name}", row)
    for name, others in (("disks", foreign.DISKS), ("pci_devices", foreign.PCI_DEVICES)):
        for row in others:
            yield _row(f"{name}.*.{row.name}", row)


def _row(name: str, row: Property) -> tuple[str, ...]:
    kind = f"{row.kind}, {row.unit}" if row.unit else row.kind
    standing = "dropped" if row.standing == ABSENT and not row.applies_to("lx") else row.standing
    return (
        f"`{name}`",
        kind,
        row.brands,
        row.settable,
        row.shown_default(),
        row.limits,
        row.effect,
        standing,
        row.why,
    )


def _names(text: str) -> str:
    return ", ".join(f"`{name}`" for name in text.split())


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Lines of Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


if __name__ == "__main__":
    print(page(), end="")
