"""`imgadm`: the operator's command for images, as on SmartOS (imgadm(8)).

Data on stdout; errors on stderr as `imgadm <command>: error (<Code>): <message>`. Exit status 0, 1
for an error, 2 for wrong usage, 3 when an image is not installed. It asks the node and knows
nothing itself.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from typing import Any

from paas.errors import UserError
from paas.node.commands.ask import Node
from paas.node.errors import NodeError
from paas.settings import load
from paas.system.plaintext import plain

Manifest = dict[str, Any]
_COLUMNS = ("uuid", "name", "version", "os", "type", "pub")
_STATUS = {"ImageNotInstalled": 3}


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.run(Node(load().node_socket), options)
        sys.stdout.flush()
    except NodeError as error:
        return _fail(options, error.code, error.message, _STATUS.get(error.code, 1))
    except UserError as error:
        return _fail(options, "InvalidParameter", f"{error.message}. {error.hint}", error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as error:
        with contextlib.suppress(OSError):
            sys.stdout.close()  # Or it would be tried once more at the end, with a traceback.
        return _fail(options, "InternalError", f"{error.filename or 'output'}: {error.strerror}", 1)
    return 0


def _list(node: Node, options: argparse.Namespace) -> None:
    images = [image for image in node.ask("images") if _matches(image, options.filters)]
    images.sort(key=lambda image: (str(image.get("published_at", "")), image["uuid"]))
    if options.json:
        print(json.dumps([{"manifest": image, "zpool": "zones"} for image in images], indent=2))
    else:
        print(plain(table(images, options.output, header=not options.no_header)), end="")


def _get(node: Node, options: argparse.Namespace) -> None:
    image = node.ask("image", uuid=options.uuid)
    print(json.dumps({"manifest": image, "zpool": "zones"}, indent=2))


def _show(node: Node, options: argparse.Namespace) -> None:
    print(json.dumps(node.ask("image", uuid=options.uuid), indent=2))


def _delete(node: Node, options: argparse.Namespace) -> None:
    for uuid in options.uuids:
        node.ask("delete_image", uuid=uuid)
        print(f"Deleted image {uuid}")


def table(images: Sequence[Manifest], columns: Sequence[str], header: bool) -> str:
    """Rows with columns as wide as their widest value; a missing value is `-`."""
    rows = [[cell(image, column) for column in columns] for image in images]
    if header:
        rows.insert(0, [column.upper() for column in columns])
    widths = [max(len(row[index]) for row in rows) for index in range(len(columns))] if rows else []
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "".join(f"{line}\n" for line in lines)


def cell(image: Manifest, column: str) -> str:
    """A field of the manifest, `pub` (the date of publishing) or `tags.<name>`."""
    if column == "pub":
        return str(image.get("published_at", "-"))[:10]
    if column == "published":
        column = "published_at"
    if column.startswith("tags."):
        value = image.get("tags", {}).get(column.removeprefix("tags."))
    else:
        value = image.get(column)
    if value in (None, ""):
        return "-"
    return value if isinstance(value, str) else json.dumps(value)


def _matches(image: Manifest, filters: Sequence[tuple[str, str]]) -> bool:
    return all(cell(image, field) == value for field, value in filters)


def _filter(text: str) -> tuple[str, str]:
    field, separator, value = text.partition("=")
    if not (field and separator):
        raise argparse.ArgumentTypeError(f"{text!r} is no filter: write field=value")
    return field, value


def _fail(options: argparse.Namespace, code: str, message: str, status: int) -> int:
    print(plain(f"imgadm {options.command}: error ({code}): {message}"), file=sys.stderr)
    if options.errors_as_json:
        print(json.dumps({"code": code, "message": message, "exitStatus": status}), file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="imgadm", description="Images of this node.")
    parser.add_argument("-E", dest="errors_as_json", action="store_true", help="errors as JSON too")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    listing = commands.add_parser("list", help="list the installed images")
    listing.add_argument("-j", dest="json", action="store_true", help="as JSON")
    listing.add_argument("-H", dest="no_header", action="store_true", help="without header")
    listing.add_argument(
        "-o", dest="output", default=_COLUMNS, type=lambda text: text.split(","), help="fields: a,b"
    )
    listing.add_argument("filters", nargs="*", type=_filter, metavar="field=value")
    listing.set_defaults(run=_list)

    get = commands.add_parser("get", help="an installed image's manifest and pool")
    show = commands.add_parser("show", help="an image's manifest")
    for command, run in ((get, _get), (show, _show)):
        command.add_argument("uuid")
        command.set_defaults(run=run)

    delete = commands.add_parser("delete", help="delete installed images")
    delete.add_argument("-P", dest="pool", choices=["zones"], help="the pool (there is one)")
    delete.add_argument("uuids", nargs="+", metavar="uuid")
    delete.set_defaults(run=_delete)
    return parser


if __name__ == "__main__":
    sys.exit(main())
