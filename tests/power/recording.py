"""What `recorder.c` wrote down, and the files that a power cut at any moment would leave."""

import itertools
import os
import random
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

SECTOR = 512
"""Bytes that a disk writes as one; of a longer write any part may have arrived."""

_HEAD = struct.Struct("<cIQI")


def compiled(folder: Path) -> Path:
    """Compiles the recorder. Raises `FileNotFoundError` where there is no gcc, and `subprocess.CalledProcessError`."""
    gcc = shutil.which("gcc")
    if gcc is None:
        raise FileNotFoundError("gcc is not installed, and the recorder has to be compiled")
    library = folder / "recorder.so"
    source = Path(__file__).with_name("recorder.c")
    command = [gcc, "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl", "-lpthread"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return library


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that happened to a file. `end` is where its record ends in the log."""

    kind: str
    file: int
    offset: int
    content: bytes
    end: int


def read(log: Path) -> Iterator[Record]:
    """The records of a log, in order, as far as it is whole."""
    content = log.read_bytes()
    at = 0
    while at + _HEAD.size <= len(content):
        kind, file, offset, length = _HEAD.unpack_from(content, at)
        at += _HEAD.size + length
        if at > len(content):
            return
        yield Record(kind.decode(), file, offset, content[at - length : at], at)


@dataclass
class Disk:
    """The files as they are for sure, and what was written since each was last synced."""

    paths: dict[int, Path] = field(default_factory=dict)
    safe: dict[int, bytearray] = field(default_factory=dict)
    unsynced: dict[int, list[Record]] = field(default_factory=dict)
    synced: int = 0

    @classmethod
    def after(cls, records: Iterable[Record]) -> Self:
        """The disk once all of this has happened."""
        disk = cls()
        for record in records:
            disk.happens(record)
        return disk

    def happens(self, record: Record) -> None:
        """Applies the next record. File names are taken to be durable at once, as in a file system with a journal."""
        match record.kind:
            case "N":
                self.paths[record.file] = Path(os.fsdecode(record.content))
            case "W" | "T":
                self.unsynced.setdefault(record.file, []).append(record)
            case "S":
                self.synced += 1
                for one in self.unsynced.pop(record.file, []):
                    _apply(self.safe.setdefault(record.file, bytearray()), one)
            case "U":
                self.unsynced.pop(record.file, None)
                self.safe.pop(record.file, None)
            case "R":
                raise ValueError("a database file was renamed, and no cut knows what that leaves")

    def left(self, chance: random.Random | None) -> dict[str, bytes]:
        """The files after a power cut here, by name: what is safe, and with `chance` any of the unsynced sectors."""
        found = {}
        for file, path in self.paths.items():
            if file not in self.safe and file not in self.unsynced:
                continue
            content = bytearray(self.safe.get(file, b""))
            for record in self.unsynced.get(file, []) if chance else []:
                for part in _sectors(record):
                    if chance and chance.random() < 0.5:
                        _apply(content, part)
            found[path.name] = bytes(content)
        return found


def laid_out(files: dict[str, bytes]) -> Path:
    """A new folder with those files. The caller removes it."""
    folder = Path(tempfile.mkdtemp(prefix="postback-power-"))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def _sectors(record: Record) -> Iterator[Record]:
    if record.kind == "T":
        yield record
        return
    first = SECTOR - record.offset % SECTOR
    edges = [0, *range(first, len(record.content), SECTOR), len(record.content)]
    for begin, end in itertools.pairwise(edges):
        yield Record("W", record.file, record.offset + begin, record.content[begin:end], record.end)


def _apply(content: bytearray, record: Record) -> None:
    if record.kind == "T":
        del content[record.offset :]
        content.extend(bytes(record.offset - len(content)))
        return
    content.extend(bytes(max(0, record.offset - len(content))))
    content[record.offset : record.offset + len(record.content)] = record.content
