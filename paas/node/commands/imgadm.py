"""`imgadm`: the operator's command for images, as on SmartOS (imgadm(8)).

Data and what was done on stdout, in SmartOS's words, which programs read; errors on stderr as
`imgadm <command>: error (<Code>): <message>`. Exit status 0, 1 for an error, 2 for wrong usage, 3
when an image is not installed. What it can be told is in `imgadm_manual`. What speaks to sources is
loaded by the commands that do: `imgadm list` starts without TLS.
"""

import contextlib
import importlib.metadata
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from paas.errors import UserError
from paas.node.commands import image_rows, imgadm_manual, words
from paas.node.commands.ask import Node
from paas.node.commands.manual import ABSENT
from paas.node.commands.words import Usage, Words
from paas.node.errors import ImageError, NodeError
from paas.node.images import manifests
from paas.settings import Settings, load
from paas.system.plaintext import plain

Record = dict[str, Any]
_STATUS = {"ImageNotInstalled": 3}
_IN_USE = ("ImageInUse", "ImageHasDependentImages")
_OWN_ROLES = ("base", "stack", "runtime", "trunk", "app")


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script; returns the exit status."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "-E" in typed
    name = next((word for word in typed if not word.startswith("-")), "")

    def fail(code: str, message: str, status: int) -> int:
        print(plain(f"imgadm {name}: error ({code}): {message}"), file=sys.stderr)
        if as_json:
            record = {"code": code, "message": message, "exitStatus": status}
            print(json.dumps(record), file=sys.stderr)
        return status

    try:
        _run([word for word in typed if word != "-E"])
        sys.stdout.flush()
    except Usage as error:
        print(plain(f"usage: imgadm {_usage_of(name)}"), file=sys.stderr)
        return fail("Usage", str(error) or "no command", 2)
    except NodeError as error:
        return fail(error.code, error.advice, _STATUS.get(error.code, 1))
    except UserError as error:
        return fail("InvalidParameter", f"{error.message}. {error.hint}", error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as error:
        with contextlib.suppress(OSError):
            sys.stdout.close()  # Or it would be tried once more at the end, with a traceback.
        return fail("InternalError", f"{error.filename or 'output'}: {error.strerror}", 1)
    except KeyboardInterrupt:
        return 130
    return 0


def _usage_of(name: str) -> str:
    command = imgadm_manual.BY_NAME.get(name)
    return f"{command.names[0]} {command.arguments}" if command else "<command> [options]"


def _run(typed: list[str]) -> None:
    while typed and typed[0] in ("-v", "--verbose"):
        typed.pop(0)
    if typed[:1] == ["--version"]:
        print(f"imgadm {importlib.metadata.version('smartplatform')}")
        return
    if typed[:1] in (["-h"], ["--help"]):
        typed = ["help", *typed[1:]]
    parsed = words.parse(typed, imgadm_manual.BY_NAME, imgadm_manual.EVERYWHERE)
    if "help" in parsed.options:
        print(imgadm_manual.usage_of(parsed.command))
        return
    for option in parsed.command.options:
        if option.word in parsed.options and option.standing == ABSENT:
            spelled = f"-{option.letter}" if option.letter else f"--{option.word}"
            raise ImageError("NotSupported", f"{spelled} is not built on this node: {option.why}")
    pool = parsed.options.get("zpool", "zones")
    if pool != "zones":
        raise ImageError("InvalidParameter", f'there is no zpool "{pool}": this node has zones')
    settings = load()
    _RUN[parsed.command.names[0]](Node(settings.node_socket), settings, parsed)


def _help(_node: Node, _settings: Settings, typed: Words) -> None:
    name = typed.rest[0] if typed.rest else ""
    if name and name not in imgadm_manual.BY_NAME:
        raise Usage(f'unknown command: "{name}"')
    known = imgadm_manual.BY_NAME.get(name)
    print(imgadm_manual.usage_of(known) if known else imgadm_manual.usage())


def _sources(_node: Node, settings: Settings, typed: Words) -> None:
    from paas.node.commands import image_sources

    image_sources.run(settings, typed)


def _list(node: Node, _settings: Settings, typed: Words) -> None:
    typed.assignments()
    _show_all([_shown(record) for record in node.ask("image_records")], typed)


def _avail(_node: Node, settings: Settings, typed: Words) -> None:
    """Also where a source fails, the others' images are listed."""
    from paas.node.commands import image_sources, imgapi

    typed.assignments()
    found: dict[str, Record] = {}
    failed: NodeError | None = None
    for source in image_sources.read(settings):
        try:
            for manifest in imgapi.images(source):
                found.setdefault(manifest["uuid"], {"manifest": manifest, "source": source.url})
        except imgapi.RemoteError as error:
            failed = failed or error
    _show_all(list(found.values()), typed)
    if failed is not None:
        raise failed


def _show_all(records: Sequence[Record], typed: Words) -> None:
    filters = typed.assignments()
    try:
        for field, _ in filters:
            image_rows.check(field)
        pairs = [(image_rows.row(record), record) for record in records]
        rows = [row for row, _ in pairs if image_rows.matches(row, filters)]
        order = typed.options.get("sort", "published_at,name").split(",")
        rows = image_rows.ordered(rows, order)
        if "json" in typed.options:
            by_uuid = {row["uuid"]: record for row, record in pairs}
            print(json.dumps([by_uuid[row["uuid"]] for row in rows], indent=2))
            return
        columns = typed.options.get("output", image_rows.COLUMNS).split(",")
        header = "skipHeader" not in typed.options
        print(plain(image_rows.table(rows, columns, header)), end="")
    except image_rows.Unknown as error:
        raise ImageError("InvalidParameter", str(error)) from error


def _shown(record: Record) -> Record:
    """As `imgadm list -j` has it."""
    shown = {"manifest": record["manifest"], "zpool": record["zpool"]}
    if record.get("source"):
        shown["source"] = record["source"]
    return {**shown, "clones": len(record.get("machines", [])) + len(record.get("images", []))}


def _record(node: Node, uuid: str) -> Record:
    for record in node.ask("image_records"):
        if record["manifest"]["uuid"] == uuid:
            found: Record = record
            return found
    text = f'image "{uuid}" was not found on zpool "zones": it is not installed'
    raise ImageError("ImageNotInstalled", text)


def _uuid(typed: Words) -> str:
    """The first word. Raises Usage, ImageError."""
    if not typed.rest:
        raise Usage("incorrect number of args (0)")
    text = typed.rest.pop(0)
    if not manifests.is_uuid(text.lower()):
        raise ImageError("InvalidUUID", f'invalid uuid: "{text:.200}"')
    return text.lower()


def _get(node: Node, _settings: Settings, typed: Words) -> None:
    uuid = _uuid(typed)
    typed.no_more()
    record = _record(node, uuid)
    shown = _shown(record)
    if "children" in typed.options:
        children = [*record["machines"], *record["images"]]
        shown["children"] = {"clones": [f"zones/{child}" for child in children]}
    print(json.dumps(shown, indent=2))


def _show(node: Node, settings: Settings, typed: Words) -> None:
    from paas.node.commands import image_sources, imgapi

    uuid = _uuid(typed)
    typed.no_more()
    for record in node.ask("image_records"):
        if record["manifest"]["uuid"] == uuid:
            print(json.dumps(record["manifest"], indent=2))
            return
    away: NodeError | None = None
    for source in image_sources.read(settings):
        try:
            manifest = imgapi.image(source, uuid)
        except imgapi.RemoteError as error:
            away = away or error
            continue
        if manifest is not None:
            print(json.dumps(manifest, indent=2))
            return
    raise away or ImageError("ImageNotFound", f'no image with uuid "{uuid}" was found')


def _import(node: Node, settings: Settings, typed: Words) -> None:
    uuid = _uuid(typed)
    typed.no_more()
    from paas.node.commands import image_files

    image_files.run_import(node, settings, uuid, typed)


def _install(node: Node, _settings: Settings, typed: Words) -> None:
    from paas.node.commands import image_files

    image_files.run_install(node, typed)


def _create(node: Node, settings: Settings, typed: Words) -> None:
    from paas.node.commands import image_files

    image_files.run_create(node, settings, _uuid(typed), typed)


def _publish(_node: Node, _settings: Settings, typed: Words) -> None:
    from paas.node.commands import image_files

    image_files.run_publish(typed)


def _update(node: Node, _settings: Settings, typed: Words) -> None:
    while typed.rest:
        _record(node, _uuid(typed))


def _delete(node: Node, _settings: Settings, typed: Words) -> None:
    uuid = _uuid(typed)
    typed.no_more()
    _delete_one(node, uuid)
    print(f"Deleted image {uuid}")


def _delete_one(node: Node, uuid: str) -> None:
    try:
        node.ask("delete_image", uuid=uuid)
    except NodeError as error:
        if error.code not in _IN_USE:
            raise
        record = _record(node, uuid)
        names = ", ".join([*record["machines"], *record["images"]])
        text = f'image "{uuid}" has dependent clones: {names}'
        raise ImageError("ImageHasDependentClones", text) from error


def _ancestry(node: Node, _settings: Settings, typed: Words) -> None:
    uuid = _uuid(typed)
    typed.no_more()
    records = {record["manifest"]["uuid"]: record for record in node.ask("image_records")}
    line, seen = [_record(node, uuid)], {uuid}
    while (origin := line[-1]["manifest"].get("origin")) and origin not in seen:
        if origin not in records:
            raise ImageError("ImageNotInstalled", f"the origin {origin} is not installed")
        line.append(records[origin])
        seen.add(origin)
    if "json" in typed.options:
        print(json.dumps([_shown(record) for record in line], indent=2))
        return
    rows = [image_rows.row(_shown(record)) for record in line]
    columns = typed.options.get("output", image_rows.ANCESTRY).split(",")
    try:
        header = "skipHeader" not in typed.options
        print(plain(image_rows.table(rows, columns, header)), end="")
    except image_rows.Unknown as error:
        raise ImageError("InvalidParameter", str(error)) from error


def _vacuum(node: Node, _settings: Settings, typed: Words) -> None:
    """Round after round: an origin is unused when what was made of it is gone."""
    from paas.node.commands import image_files

    typed.no_more()
    gone: set[str] = set()
    records = node.ask("image_records")
    while unused := [record for record in records if _unused(record, gone)]:
        for record in unused:
            gone.add(record["manifest"]["uuid"])
    doomed = [record["manifest"] for record in records if record["manifest"]["uuid"] in gone]
    if not doomed:
        return
    if "dry-run" in typed.options:
        for manifest in doomed:
            print(f"[dry-run] Deleted image {image_files.named(manifest)}")
        return
    if "force" not in typed.options:
        print("This will delete the following images:")
        for manifest in doomed:
            print(f"    {image_files.named(manifest)}")
        if not _agreed(len(doomed)):
            print("Aborting")
            return
    left = gone
    while left:
        ready = [r for r in node.ask("image_records") if _unused(r, set()) and _uuid_of(r) in left]
        if not ready:
            break
        for record in ready:
            _delete_one(node, _uuid_of(record))
            print(f"Deleted image {image_files.named(record['manifest'])}", flush=True)
            left = left - {_uuid_of(record)}


def _uuid_of(record: Record) -> str:
    return str(record["manifest"]["uuid"])


def _unused(record: Record, gone: set[str]) -> bool:
    if manifests.role(record["manifest"]) in _OWN_ROLES or _uuid_of(record) in gone:
        return False
    return not record["machines"] and not set(record["images"]) - gone


def _agreed(count: int) -> bool:
    these = "this image" if count == 1 else f"these {count} images"
    print(f"Delete {these}? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


_RUN: dict[str, Callable[[Node, Settings, Words], None]] = {
    "help": _help,
    "sources": _sources,
    "avail": _avail,
    "show": _show,
    "import": _import,
    "install": _install,
    "list": _list,
    "get": _get,
    "update": _update,
    "delete": _delete,
    "ancestry": _ancestry,
    "vacuum": _vacuum,
    "create": _create,
    "publish": _publish,
}


if __name__ == "__main__":
    sys.exit(main())
