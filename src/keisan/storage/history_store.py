"""History's files and manifests in a folder or an S3 bucket, which differ in how a finished file gets to its place.

A file is written whole to the local disk first. What is not in a manifest is in no answer, so a crash leaves what a sweep
takes.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec
import pyarrow as pa
import pyarrow.fs as pf

from keisan.domain.errors import InvariantBroken
from keisan.domain.history import HistoryFile, InventoryNote, Manifest, Month, Tier, name_day
from keisan.kit.ids import create_id
from keisan.kit.private_file import create_private_folder, sync_folder
from keisan.storage.base_history import Block, BlockWriter
from keisan.storage.history_file import BlockFile, read_blocks
from keisan.storage.history_inventory import FOLDER as INVENTORY_FOLDER
from keisan.storage.history_inventory import SCHEMA as INVENTORY_SCHEMA
from keisan.storage.history_inventory import name_inventory, read_inventory, read_note, write_inventory
from keisan.wire.inventory import Inventory

MANIFEST_FOLDER: Final = "manifest"
DATA_SUFFIX: Final = ".parquet"
COPY_BYTES: Final = 4 * 1024 * 1024


class HistoryPlace(Protocol):
    """A folder or a bucket. Names are paths within it, with slashes."""

    @property
    def filesystem(self) -> pf.FileSystem: ...
    @property
    def root(self) -> str: ...
    def put(self, local: Path, name: str) -> None:
        """Move a file of the local disk to a name, in place of what is there: whole, or not at all. Raises OSError."""
        ...


@dataclass(slots=True)
class FolderPlace:
    """A folder of the local disk."""

    folder: Path
    filesystem: pf.FileSystem

    @property
    def root(self) -> str:
        """Return the path that names are within."""
        return str(self.folder)

    def put(self, local: Path, name: str) -> None:
        """Move a file to a name; raises OSError."""
        path = self.folder / name
        create_private_folder(path.parent)
        descriptor = os.open(local, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        local.rename(path)
        # The folders too, or a new one could be gone with its file after a power cut.
        for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
            sync_folder(folder)


@dataclass(slots=True)
class BucketPlace:
    """A bucket of an S3-compatible store, and a prefix within it. An object is there once its upload is complete."""

    root: str
    filesystem: pf.FileSystem

    def put(self, local: Path, name: str) -> None:
        """Upload a file to a name; raises OSError."""
        with local.open("rb") as source, self.filesystem.open_output_stream(f"{self.root}/{name}") as sink:
            shutil.copyfileobj(source, sink, COPY_BYTES)
        local.unlink()


def open_folder(folder: Path) -> FolderPlace:
    """Return a folder as a place for history."""
    return FolderPlace(folder, pf.LocalFileSystem())


@dataclass(slots=True)
class HistoryFileStore:
    """Files at a place. `work` is a folder of the local disk for those in the making, for a folder on its own disk."""

    place: HistoryPlace
    work: Path

    def list_manifests(self) -> Sequence[Manifest]:
        """Return all manifests; raises OSError."""
        names = [name for name, _, _ in self._list(MANIFEST_FOLDER) if name.endswith(".json")]
        return [msgspec.json.decode(self._read(name), type=Manifest) for name in names]

    def put_manifest(self, manifest: Manifest) -> None:
        """Replace a month's manifest, whole and on the disk when it returns; raises OSError."""
        self.put_document(name_manifest(manifest.month), msgspec.json.encode(manifest))

    def put_document(self, name: str, content: bytes) -> None:
        """Keep a text under a name, in place of what is there, whole and on the disk when it returns; raises OSError."""
        create_private_folder(self.work)
        local = self.work / f"{create_id().hex}.json"
        local.write_bytes(content)
        self.place.put(local, name)

    def find_documents(self, names: Iterable[str]) -> Mapping[str, bytes]:
        """Return those of these texts that there are, by name; raises OSError."""
        found = {}
        for name in names:
            with suppress(FileNotFoundError):
                found[name] = self._read(name)
        return found

    def open_file(self, tier: Tier) -> BlockFile:
        """Return a file in the making; raises OSError."""
        create_private_folder(self.work)
        return BlockFile(self.work / f"{create_id().hex}{DATA_SUFFIX}", tier)

    def put_file(self, file: BlockWriter, region: str, start_ms: int) -> tuple[str, int]:
        """Close a file, put it in its place, whole and on the disk, and return its name and bytes; raises OSError."""
        own = _check_own(file)
        own.close()
        name = f"{own.tier}/day={name_day(start_ms)}/region={region}/{own.path.name}"
        size_bytes = own.path.stat().st_size
        self.place.put(own.path, name)
        return name, size_bytes

    def discard_file(self, file: BlockWriter) -> None:
        """Close a file and remove it; raises OSError."""
        own = _check_own(file)
        own.close()
        own.path.unlink(missing_ok=True)

    def read_blocks(self, file: HistoryFile) -> Iterator[Block]:
        """Yield a file's blocks in order of their keys; raises OSError."""
        with self.place.filesystem.open_input_file(f"{self.place.root}/{file.name}") as source:
            yield from read_blocks(source)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; those that are gone are none. Raises OSError."""
        for name in names:
            try:
                self.place.filesystem.delete_file(f"{self.place.root}/{name}")
            except FileNotFoundError:
                continue

    def sweep(self, names: Iterable[str], before: datetime) -> int:
        """Remove data that is not named and was written before an instant, and return how many files; raises OSError."""
        kept = frozenset(names)
        left = [
            name
            for tier in Tier
            for name, written_at, _ in self._list(tier)
            if name not in kept and written_at < before.timestamp()
        ]
        self.remove(left)
        for path in self.work.glob("*"):
            if path.stat().st_mtime < before.timestamp():
                path.unlink(missing_ok=True)
        return len(left)

    def list_notes(self) -> Sequence[InventoryNote]:
        """Return what is told of the inventories that are kept; raises OSError."""
        notes = []
        for name, _, size_bytes in self._list(INVENTORY_FOLDER):
            with self.place.filesystem.open_input_file(f"{self.place.root}/{name}") as source:
                notes.append(replace(read_note(source), size_bytes=size_bytes))
        return notes

    def put_inventory(self, note: InventoryNote, inventory: Inventory) -> InventoryNote:
        """Keep an inventory in place of an older one of its incarnation; return its note with its size; raises OSError."""
        create_private_folder(self.work)
        local = self.work / f"{create_id().hex}{DATA_SUFFIX}"
        write_inventory(local, note, inventory)
        size_bytes = local.stat().st_size
        self.place.put(local, name_inventory(note.site, note.incarnation))
        return replace(note, size_bytes=size_bytes)

    def remove_inventories(self, notes: Iterable[InventoryNote]) -> None:
        """Remove inventories; those that are gone are none. Raises OSError."""
        self.remove(name_inventory(each.site, each.incarnation) for each in notes)

    def read_inventories(self, notes: Iterable[InventoryNote]) -> pa.Table:
        """Return the rows of inventories, one after another; raises OSError."""
        tables = [INVENTORY_SCHEMA.empty_table()]
        for note in notes:
            name = name_inventory(note.site, note.incarnation)
            with self.place.filesystem.open_input_file(f"{self.place.root}/{name}") as source:
                tables.append(read_inventory(source))
        return pa.concat_tables(tables).unify_dictionaries()

    def _list(self, folder: str) -> Iterator[tuple[str, float, int]]:
        """Yield the files of a folder: name, when it was written, and bytes."""
        chosen = pf.FileSelector(f"{self.place.root}/{folder}", allow_not_found=True, recursive=True)
        for each in self.place.filesystem.get_file_info(chosen):
            if each.type == pf.FileType.File:
                yield each.path.removeprefix(f"{self.place.root}/"), each.mtime_ns / 1e9, each.size

    def _read(self, name: str) -> bytes:
        with self.place.filesystem.open_input_stream(f"{self.place.root}/{name}") as source:
            content: bytes = source.read()
        return content


def name_manifest(month: Month) -> str:
    """Return where a month's manifest is."""
    return f"{MANIFEST_FOLDER}/region={month.region}/month={month.month}.json"


def _check_own(file: BlockWriter) -> BlockFile:
    if not isinstance(file, BlockFile):
        raise InvariantBroken("a store takes files that it opened")
    return file
