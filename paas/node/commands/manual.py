"""What `vmadm` can be told: its commands and options, beside SmartOS's vmadm(8). Pure data.

It drives the parsing, `vmadm help` and docs/vmadm.md.
"""

from dataclasses import dataclass

SAME, NARROWER, ABSENT = "same", "narrower", "absent"


@dataclass(frozen=True)
class Option:
    """`word` is the long form's name, `letter` the short one; `value` names its value, if any."""

    word: str
    letter: str
    help: str
    value: str = ""
    standing: str = SAME
    why: str = ""


@dataclass(frozen=True)
class Command:
    """`arguments` is how its line of the usage goes on. The first of `names` is the command's."""

    names: tuple[str, ...]
    arguments: str
    help: str
    options: tuple[Option, ...] = ()
    standing: str = SAME
    why: str = ""


_FILE = Option("file", "f", "the payload's file; standard input without it", "filename")
_FORCE = Option("force", "F", "at once, without asking its processes")
_JSON = Option("json", "j", "JSON")
_ONE_LOG = ("", NARROWER, "there is one log, the node's")
EVERYWHERE = (
    Option("verbose", "v", "taken, and without effect", *_ONE_LOG),
    Option("debug", "d", "taken, and without effect", *_ONE_LOG),
)

COMMANDS = (
    Command(("create",), "[-f <filename>]", "make a machine from a JSON payload", (_FILE,)),
    Command(("create-snapshot",), "<uuid> <snapname>", "keep a machine's data as it is now"),
    Command(
        ("console",),
        "<uuid>",
        "show what the machine prints, until CTRL-]",
        (),
        NARROWER,
        "output alone: what is typed goes nowhere, and there is no login yet",
    ),
    Command(("delete", "destroy"), "<uuid>", "remove a machine and its data"),
    Command(("delete-snapshot",), "<uuid> <snapname>", "forget a snapshot"),
    Command(
        ("events",),
        "[-fjr] [uuid]",
        "what happens, as it happens",
        (
            Option("full", "f", "whole uuids and dates"),
            _JSON,
            Option("ready", "r", "begin with a line that the stream is open"),
        ),
    ),
    Command(("get", "json"), "<uuid>", "a machine as JSON"),
    Command(
        ("info",),
        "<uuid> [type,...]",
        "what QEMU says of a machine",
        (),
        SAME,
        "refused for zones, as there; there are no virtual machines yet",
    ),
    Command(
        ("install",),
        "<uuid>",
        "make a received machine ready",
    ),
    Command(
        ("kill",),
        "[-s SIGNAL|-SIGNAL] <uuid>",
        "signal the first process (SIGTERM)",
        (Option("signal", "s", "its name or number", "signal"),),
    ),
    Command(
        ("list",),
        "[-p] [-H] [-o field,...] [-s field,...] [field=value ...]",
        "machines as rows",
        (
            Option("parsable", "p", "`:` between values, no header"),
            Option("header", "h", "with a header, also with -p"),
            Option("no-header", "H", "no header"),
            Option("order", "o", "the columns", "field,..."),
            Option("sortby", "s", "the order; - before a field reverses it", "field,..."),
        ),
    ),
    Command(
        ("lookup",),
        "[-j|-1] [-o field,...] [field=value ...]",
        "uuids of the machines with these values; =~ for a regular expression",
        (
            _JSON,
            Option("unique", "1", "fail unless there is exactly one"),
            Option("output", "o", "the properties, with -j", "field,..."),
        ),
    ),
    Command(("reboot",), "<uuid> [-F]", "stop and start a machine that runs", (_FORCE,)),
    Command(
        ("receive", "recv"),
        "[-f <filename>]",
        "a machine from `vmadm send`; `vmadm install` makes it ready",
        (_FILE,),
        NARROWER,
        "only from a node whose pool has the same driver; whole machines",
    ),
    Command(
        ("reprovision",),
        "<uuid> [-f <filename>]",
        "its data anew from the payload's image_uuid",
        (_FILE,),
    ),
    Command(
        ("rollback-snapshot",), "<uuid> <snapname>", "go back to a snapshot; later ones are lost"
    ),
    Command(
        ("send",),
        "<uuid> [target]",
        "stop a machine, and write it to standard output",
        (),
        NARROWER,
        "no target; without its snapshots",
    ),
    Command(
        ("start", "boot"),
        "<uuid> [option=value ...]",
        "boot a machine",
        (),
        NARROWER,
        "order, cdrom and disk are for virtual machines: refused",
    ),
    Command(
        ("stop", "halt"),
        "<uuid> [-F] [-t timeout]",
        "stop a machine",
        (
            _FORCE,
            Option("timeout", "t", "grace in seconds: 60, 10 for docker's", "timeout"),
        ),
    ),
    Command(
        ("sysrq",),
        "<uuid> <nmi|screenshot>",
        "for virtual machines",
        (),
        SAME,
        "refused for zones, as there; there are no virtual machines yet",
    ),
    Command(
        ("update",),
        "<uuid> [-f <filename>]",
        "change properties, from JSON or as property=value",
        (_FILE,),
    ),
    Command(
        ("validate",),
        "create [-f <filename>]",
        "say what is wrong with a payload, as JSON",
        (_FILE,),
    ),
    Command(("help",), "", "this text; `help properties` lists the properties"),
)  # fmt: skip
_MORE = {
    "update": " -or- update <uuid> property=value [property=value ...]",
    "validate": "validate update <brand> [-f <filename>]",
}
"""The second line of those that can be told in two ways."""

BY_NAME = {name: command for command in COMMANDS for name in command.names}


def usage() -> str:
    """SmartOS's text, and what each command does."""
    lines = ["Usage: vmadm <command> [options]", ""]
    for command in COMMANDS:
        head = f"{command.names[0]} {command.arguments}".rstrip()
        lines += [f"{head:<55}  {command.help}".rstrip()]
        if command.names[0] in _MORE:
            lines.append(_MORE[command.names[0]])
    lines += [
        "",
        "Examples:",
        "  vmadm list -o uuid,alias,state state=running",
        "  vmadm lookup -1 alias=web",
        "  vmadm update <uuid> cpu_cap=200 ram=1024",
    ]
    return "\n".join(lines)
