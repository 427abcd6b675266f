"""What `imgadm` can be told: its commands and options, beside SmartOS's imgadm(8). Pure data.

It drives the parsing, `imgadm help` and docs/imgadm.md.
"""

from paas.node.commands.manual import ABSENT, NARROWER, SAME, Command, Option

_QUIET = Option("quiet", "q", "no progress bar (there is none)")
_POOL = Option("zpool", "P", "the pool: zones, the one there is", "pool")
_JSON = Option("json", "j", "JSON")
_NO_HEADER = Option("skipHeader", "H", "no header")
_COLUMNS = Option("output", "o", "the columns", "field,...")
_SORT = Option("sort", "s", "the order; - before a field reverses it", "field,...")
_MANIFEST = Option("manifest", "m", "the manifest's file", "manifest")
_FILE = Option("file", "f", "the image's file", "file")
_DRY = Option("dry-run", "n", "say what would be done")
_NO_DOCKER = "there are no Docker sources"
_NO_CHANNELS = "no server here has channels"
_FORM = "an image's file is a tar of its userland (docs/imgadm.md), and no ZFS stream"
EVERYWHERE = (
    Option("help", "h", "the command's usage"),
    Option("verbose", "v", "taken, and without effect", "", NARROWER, "there is nothing to trace"),
    Option("E", "E", "on an error, a JSON object as the last line of standard error"),
)
BEFORE = (Option("version", "", "imgadm's version"),)

COMMANDS = (
    Command(("help",), "[<command>]", "this text, or a command's"),
    Command(
        ("sources",),
        "[-a <url>|-d <url>|-e|-c] [-t <type>] [-j] [-f] [-k]",
        "list and edit image sources",
        (
            _JSON,
            Option("add", "a", "add a source, as the last", "url"),
            Option("add-docker-hub", "", "add Docker's", "", ABSENT, _NO_DOCKER),
            Option("del", "d", "remove a source", "url"),
            Option("edit", "e", "edit the sources with $VISUAL or $EDITOR"),
            Option("check", "c", "ask every source whether it is there"),
            Option("type", "t", "imgapi", "type", NARROWER, "docker and dsapi are refused by name"),
            Option("insecure", "k", "believe any certificate of the added source"),
            Option("force", "f", "don't ask the added source whether it is there"),
        ),
        NARROWER,
        "no source at first: SmartOS's images are ZFS streams for illumos",
    ),
    Command(
        ("avail",),
        "[-j] [-H] [-o field,...] [-s field,...] [field=value ...]",
        "list the images of all sources; filters as in list",
        (_JSON, _NO_HEADER, _COLUMNS, _SORT),
    ),
    Command(("show",), "<uuid>", "an available or installed image's manifest"),
    Command(
        ("import",),
        "[-q] [-P <pool>] [-S <url>] <uuid>",
        "install an image, and its origins first, from a source",
        (
            _QUIET,
            Option("channel", "C", "another channel", "channel", ABSENT, _NO_CHANNELS),
            _POOL,
            Option("source", "S", "from this source alone", "url"),
        ),
        NARROWER,
        _FORM,
    ),
    Command(
        ("install",),
        "[-q] [-P <pool>] -m <manifest> -f <file>",
        "install an image from files",
        (_MANIFEST, _FILE, _POOL, _QUIET),
        NARROWER,
        _FORM,
    ),
    Command(
        ("list",),
        "[-j] [-H] [-o field,...] [-s field,...] [field=value ...]",
        "list installed images; field=~text for a part of a value",
        (
            _JSON,
            _NO_HEADER,
            _COLUMNS,
            _SORT,
            Option("docker", "", "as `docker images`", "", ABSENT, _NO_DOCKER),
        ),
    ),
    Command(
        ("get", "info"),
        "[-r] [-P <pool>] <uuid>",
        "an installed image as JSON",
        (Option("children", "r", "with what was made of it, or needs it"), _POOL),
    ),
    Command(
        ("update",),
        "[-n] [<uuid> ...]",
        "get manifests that are missing",
        (_DRY,),
        SAME,
        "no image is here without its manifest and snapshot, so there is nothing to get",
    ),
    Command(
        ("delete", "destroy"),
        "[-P <pool>] <uuid>",
        "delete an installed image that nothing was made of",
        (_POOL,),
    ),
    Command(
        ("ancestry",),
        "[-j] [-H] [-o field,...] [-P <pool>] <uuid>",
        "list an image and its origins",
        (_JSON, _NO_HEADER, _COLUMNS, _POOL),
    ),
    Command(
        ("vacuum",),
        "[-n] [-f]",
        "delete the images that nothing was made of",
        (_DRY, Option("force", "f", "without asking")),
        NARROWER,
        "never the platform's own: stacks, runtimes, bases, trunks and apps' images",
    ),
    Command(
        ("create",),
        "[-m <manifest>] [-o <path>] [-c <comp>] [-i] [-p <url>] <vm-uuid> [field=value ...]",
        "make an image's file of a stopped machine",
        (
            Option("manifest", "m", "more of the manifest; - for standard input", "manifest"),
            Option("output-template", "o", "a folder, or how the files' names begin", "path"),
            Option("compression", "c", "none, gzip, bzip2 or xz", "comp"),
            Option("incremental", "i", "what differs from the machine's image alone"),
            Option("max-origin-depth", "", "the most origins that it may have", "depth"),
            Option(
                "script", "s", "a script that prepares the machine", "path", ABSENT,
                "no machine here reads sdc:operator-script",
            ),
            Option("publish", "p", "send it to a server, and keep no file", "url"),
            _QUIET,
        ),
        NARROWER,
        f"{_FORM}; it is NAME-VER.tar[.gz|.bz2|.xz]",
    ),
    Command(
        ("publish",),
        "[-q] -m <manifest> -f <file> <url>",
        "send an image to a server; $IMGADM_TOKEN is sent along",
        (_MANIFEST, _FILE, _QUIET),
    ),
)  # fmt: skip
BY_NAME = {name: command for command in COMMANDS for name in command.names}


def usage() -> str:
    """Of all commands."""
    lines = ["Manage images of machines.", "", "Usage:", "    imgadm [-E] <command> [options]", ""]
    lines += [f"    {command.names[0]:<9} {command.help}" for command in COMMANDS]
    return "\n".join([*lines, "", "`imgadm help <command>` tells the options of a command."])


def usage_of(command: Command) -> str:
    lines = [command.help, "", "Usage:", f"    imgadm {command.names[0]} {command.arguments}", ""]
    for option in (*command.options, *EVERYWHERE):
        if option.standing != ABSENT:
            value = f" <{option.value}>" if option.value else ""
            letter = f"-{option.letter}, " if option.letter else ""
            lines.append(f"    {letter + '--' + option.word + value:<40} {option.help}")
    return "\n".join(lines)
