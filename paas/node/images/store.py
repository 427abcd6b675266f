"""The installed images: datasets of the pool with a manifest beside them.

    <pool>/.images/<uuid>.json       the manifest; its presence says that the image is whole
    <pool>/.images/<uuid>.creating   what is being made, and from which machine: written before
    anything <pool>/.images/<uuid>.deleting   the manifest of an image that is being deleted
    <pool>/.images/<uuid>.source     where an image was imported from

Manifests stand outside the datasets, so that clones of an image carry nothing of it but its
`root/`.
"""

import json
import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from paas.node.errors import ImageError
from paas.node.images import manifests
from paas.node.images.extract import Bounds, extract
from paas.node.images.manifests import Manifest
from paas.node.pools.interface import FINAL, DatasetNotFound, Pool
from paas.system.files import write_by_rename

_logger = logging.getLogger(__name__)
ROOT = "root"


class Images:
    """All methods block (milliseconds, imports seconds) and may be called from several threads.

    Of one image one thing is done at a time: a second one meanwhile is refused (`ImageBusy`), and
    it is the caller's to let it wait. What a failed attempt left is finished or undone by the next.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._busy: set[str] = set()
        self._deciding = threading.Lock()
        """Held while it is decided what may be made or deleted, never while that is done."""
        self._folder = pool.root / ".images"
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def get(self, uuid: str) -> Manifest:
        """Raises ImageError `ImageNotInstalled`."""
        manifest = self._installed(uuid)
        if manifest is None:
            raise ImageError("ImageNotInstalled", f"image {uuid!r:.100} is not installed")
        return manifest

    def create(self, given: Mapping[str, Any], fill: Callable[[Path], None]) -> Manifest:
        """An image whose userland `fill` puts into the empty folder that it gets."""
        manifest = _whole(given)
        with self._alone(manifest["uuid"]):
            found = self._begin(given, manifest)
            return found or self._create(manifest, fill)

    def _create(self, manifest: Manifest, fill: Callable[[Path], None]) -> Manifest:
        uuid, partial = manifest["uuid"], f"{manifest['uuid']}.partial"
        try:
            self.pool.destroy(partial)
            self.pool.create(partial)
            root = self.pool.path(partial) / ROOT
            root.mkdir(mode=0o755)
            fill(root)
            self.pool.snapshot(partial, FINAL)
            self.pool.rename(partial, uuid)
        except BaseException:
            self._undo(uuid)
            raise
        return self._commit(manifest)

    def derive(
        self,
        given: Mapping[str, Any],
        origin: str,
        change: Callable[[Path], None],
        quota_bytes: int | None,
    ) -> Manifest:
        """An image whose userland is that of another one after `change` was at work in it.

        `change` gets the folder, with `quota_bytes` to write at most. It opens no path in there:
        a tenant wrote it. The origin may go afterwards.
        """
        manifest = _whole(given)
        with self._alone(manifest["uuid"]):
            found = self._begin(given, manifest)
            return found or self._derive(manifest, origin, change, quota_bytes)

    def _derive(
        self,
        manifest: Manifest,
        origin: str,
        change: Callable[[Path], None],
        quota_bytes: int | None,
    ) -> Manifest:
        uuid, partial = manifest["uuid"], f"{manifest['uuid']}.partial"
        try:
            self.get(origin)
            self.pool.destroy(partial)
            self._clone(origin, partial, quota_bytes)
            change(self.pool.path(partial) / ROOT)
            self.pool.set_quota(partial, None)
            self.pool.snapshot(partial, FINAL)
            self.pool.rename(partial, uuid)
        except BaseException:
            self._undo(uuid)
            raise
        return self._commit(manifest)

    def _clone(self, origin: str, partial: str, quota_bytes: int | None) -> None:
        try:
            self.pool.clone(origin, partial, quota_bytes)
        except DatasetNotFound as error:
            text = f"image {origin} has just been deleted"
            raise ImageError("ImageNotInstalled", text) from error

    def import_tar(
        self,
        given: Mapping[str, Any],
        stream: IO[bytes],
        strip_components: int = 0,
        destination: str = ".",
        bounds: Bounds | None = None,
    ) -> Manifest:
        """An image from a stranger's tar stream, unpacked into `destination` below the userland."""

        def fill(root: Path) -> None:
            folder = root / destination
            folder.mkdir(parents=True, exist_ok=True)
            extract(stream, folder, strip_components, bounds)

        return self.create(given, fill)

    def create_from_machine(
        self, machine: str, given: Mapping[str, Any], keep_machine: bool
    ) -> Manifest:
        """An image of a machine's userland: a copy while it runs on, or what it was, without
        copying.

        Without `keep_machine` the caller has stopped the machine, and it is gone afterwards. Killed
        half-way, a copy is undone and a conversion finished by `sweep`.
        """
        manifest = _whole(given)
        with self._alone(manifest["uuid"]):
            found = self._begin(given, manifest, machine, keep_machine)
            if found is not None:
                return found
            if not self.pool.exists(machine):
                self._undo(manifest["uuid"])
                raise ImageError("VmNotFound", f"there is no machine {machine!r:.100}")
            if not keep_machine:
                return self._convert(machine, manifest)
            try:
                self._copy(machine, manifest["uuid"])
            except BaseException:
                self._undo(manifest["uuid"])
                raise
            return self._commit(manifest)

    def delete(self, uuid: str) -> None:
        """Raises ImageError `ImageNotInstalled`, `ImageHasDependentImages`.

        That no machine uses it the caller has seen to: machines are not known here.
        """
        with self._alone(uuid):
            if self._installed(uuid) is None and self._finish(uuid):
                return
            with self._deciding:
                self.get(uuid)
                self._refuse_needed(uuid)
                self._file(uuid).rename(self._file(uuid, "deleting"))
            self._finish_deleting(uuid)

    @contextmanager
    def _alone(self, uuid: str) -> Iterator[None]:
        with self._deciding:
            if uuid in self._busy:
                text = f"image {uuid!r:.100} is being made or deleted by another request"
                raise ImageError("ImageBusy", text, "Try again when that has ended.")
            self._busy.add(uuid)
        try:
            yield
        finally:
            with self._deciding:
                self._busy.discard(uuid)

    def _finish(self, uuid: str) -> bool:
        """Finish or undo what a failed attempt left of an image; whether it was deleting it."""
        if not manifests.is_uuid(uuid):
            return False
        creating = self._file(uuid, "creating")
        intent = _read(creating)
        if intent is not None and not intent["keep_machine"] and self.pool.exists(uuid):
            self._convert(intent["machine"], intent["manifest"])
        elif creating.exists():
            self._undo(uuid)
        if not self._file(uuid, "deleting").exists():
            return False
        self._finish_deleting(uuid)
        return True

    def set_source(self, uuid: str, source: str) -> None:
        """Where the image is from; said before it is made, and forgotten with it."""
        if manifests.is_uuid(uuid):
            _write(self._file(uuid, "source"), {"url": source})

    def source(self, uuid: str) -> str:
        """Nothing for what was made here."""
        record = _read(self._file(uuid, "source")) if manifests.is_uuid(uuid) else None
        return str((record or {}).get("url", ""))

    def _finish_deleting(self, uuid: str) -> None:
        self.pool.destroy(uuid)
        self._file(uuid, "source").unlink(missing_ok=True)
        self._file(uuid, "deleting").unlink()

    def sweep(self) -> list[str]:
        """Finish or undo what a killed process left; what it did. For the node's start."""
        for unfinished in self._folder.glob(".*"):
            unfinished.unlink()
        done = self._sweep_all()
        for source in self._folder.glob("*.source"):
            if not self._file(source.stem).exists():
                source.unlink()
        return done

    def _sweep_all(self) -> list[str]:
        return [*self.pool.sweep(), *self._sweep_deleted(), *self._sweep_created()]

    def _sweep_deleted(self) -> Iterator[str]:
        for deleting in sorted(self._folder.glob("*.deleting")):
            if self._file(deleting.stem).exists():
                # Made again since, by a version that did not finish the deletion first.
                deleting.unlink()
                continue
            self._finish_deleting(deleting.stem)
            yield f"finished deleting image {deleting.stem}"

    def _sweep_created(self) -> Iterator[str]:
        for creating in sorted(self._folder.glob("*.creating")):
            intent = _read(creating)
            uuid = creating.stem
            if intent is None or intent["keep_machine"] or self._file(uuid).exists():
                self._undo(uuid)
                yield f"undid the half-made image {uuid}"
            elif self.pool.exists(intent["machine"]) or self.pool.exists(uuid):
                self._convert(intent["machine"], intent["manifest"])
                yield f"finished image {uuid} of machine {intent['machine']}"
            else:
                creating.unlink()

    def _begin(
        self,
        given: Mapping[str, Any],
        manifest: Manifest,
        machine: str = "",
        keep_machine: bool = True,
    ) -> Manifest | None:
        """The image if it exists already; otherwise the intent to make it is kept."""
        uuid = manifest["uuid"]
        if self._installed(uuid) is None:
            self._finish(uuid)
        with self._deciding:
            installed = self._installed(uuid)
            if installed is not None:
                if all(installed.get(field) == value for field, value in given.items()):
                    return installed
                text = f"image {uuid} is installed, with another manifest"
                raise ImageError("ImageUuidAlreadyExists", text, "Choose another uuid.")
            self._refuse_lacking(manifest)
            intent = {"manifest": manifest, "machine": machine, "keep_machine": keep_machine}
            _write(self._file(uuid, "creating"), intent)
        return None

    def _refuse_lacking(self, manifest: Manifest) -> None:
        """An image is not made on images that are gone, or on their way."""
        for pin in sorted(manifests.pins(manifest)):
            if self._installed(pin) is None:
                text = f"image {manifest['uuid']} needs image {pin}, which is not installed"
                raise ImageError("ImageNotInstalled", text)

    def _copy(self, machine: str, uuid: str) -> None:
        self.pool.snapshot(machine, uuid)
        try:
            self.pool.clone_snapshot(machine, uuid, uuid)
        finally:
            self.pool.delete_snapshot(machine, uuid)
        _keep_userland(self.pool.path(uuid))
        self.pool.snapshot(uuid, FINAL)

    def _convert(self, machine: str, manifest: Manifest) -> Manifest:
        """Every step can be repeated: the intent is kept."""
        uuid = manifest["uuid"]
        if self.pool.exists(machine):
            _keep_userland(self.pool.path(machine))
            self.pool.rename(machine, uuid)
        for snapshot in self.pool.snapshots(uuid):
            if snapshot != FINAL:
                self.pool.delete_snapshot(uuid, snapshot)
        self.pool.set_quota(uuid, None)
        self.pool.snapshot(uuid, FINAL)
        return self._commit(manifest)

    def _commit(self, manifest: Manifest) -> Manifest:
        _write(self._file(manifest["uuid"]), manifest)
        self._file(manifest["uuid"], "creating").unlink(missing_ok=True)
        return manifest

    def _undo(self, uuid: str) -> None:
        if not self._file(uuid).exists():
            self.pool.destroy(f"{uuid}.partial")
            self.pool.destroy(uuid)
            self._file(uuid, "source").unlink(missing_ok=True)
        intent = _read(self._file(uuid, "creating"))
        if intent and intent["machine"] and self.pool.exists(intent["machine"]):
            self.pool.delete_snapshot(intent["machine"], uuid)
        self._file(uuid, "creating").unlink(missing_ok=True)

    def _refuse_needed(self, uuid: str) -> None:
        known = [*self.list(), *self._begun()]
        dependants = [image["uuid"] for image in known if uuid in manifests.pins(image)]
        if dependants:
            raise ImageError(
                "ImageHasDependentImages",
                f"image {uuid} is needed by image {', '.join(dependants)}",
                "Delete the images that need it first.",
            )

    def _begun(self) -> list[Manifest]:
        """Of images that are being made."""
        intents = [_read(file) for file in sorted(self._folder.glob("*.creating"))]
        return [intent["manifest"] for intent in intents if intent is not None]

    def _installed(self, uuid: str) -> Manifest | None:
        return _read(self._file(uuid)) if manifests.is_uuid(uuid) else None

    def _file(self, uuid: str, kind: str = "json") -> Path:
        return self._folder / f"{uuid}.{kind}"

    def list(self) -> list[Manifest]:
        found = [_read(file) for file in sorted(self._folder.glob("*.json"))]
        return [manifest for manifest in found if manifest is not None]


def _keep_userland(path: Path) -> None:
    """A machine's dataset without what may lie beside the userland."""
    for entry in path.iterdir():
        if entry.name == ROOT:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _read(file: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, RecursionError):
        _logger.error("%s is not JSON: ignored", file)
        return None
    return found if isinstance(found, dict) else None


def _write(file: Path, record: Mapping[str, Any]) -> None:
    write_by_rename(file, json.dumps(record, indent=2), mode=0o644)


def _whole(given: Mapping[str, Any]) -> Manifest:
    """The manifest with what may be left out. Raises ImageError `InvalidManifest`."""
    manifest = manifests.complete(given)
    found = manifests.problems(manifest)
    if found:
        message = "; ".join(problem["message"] for problem in found)
        raise ImageError("InvalidManifest", f"the manifest is not valid: {message}")
    return manifest
