"""Which files there are, their bytes, and how a file is written: whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ormlift.model import Failed

NEVER_OURS = frozenset({"__pycache__", "node_modules", "site-packages", "CVS"})
SELDOM_OURS = frozenset({"build", "dist", "venv", "env"})  # ours only where git does not ignore them
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # a FIFO that took a file's place must not make us wait
_BINARY = getattr(os, "O_BINARY", 0)


@dataclass
class Found:
    """What a walk over the project found. Paths are relative to the root, with forward slashes."""

    files: list[str] = field(default_factory=list)
    failures: list[Failed] = field(default_factory=list)  # directories that could not be read
    notes: list[str] = field(default_factory=list)  # what was skipped and the user may not expect


@dataclass(frozen=True)
class Listing:
    """The paths that git knows or would know: tracked, and untracked but not ignored. Relative to the root."""

    files: frozenset[str]
    folders: frozenset[str]

    @classmethod
    def of(cls, paths: Iterator[str]) -> Listing:
        """Build it from paths; the folders are all that hold one of them."""
        files = frozenset(paths)
        folders: set[str] = set()
        for path in files:
            head = path.rpartition("/")[0]
            while head and head not in folders:
                folders.add(head)
                head = head.rpartition("/")[0]
        return cls(files, frozenset(folders))


def discover(root: Path, listing: Listing | None) -> Found:
    """All Python files under `root` that are the project's own, in path order.

    Left out are hidden, vendored, generated and virtual environment directories, and what git ignores.
    """
    found = Found()
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(root / folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            found.failures.append(Failed(folder or ".", f"cannot be read: {error.strerror or error}"))
            continue
        if folder and any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if _take(root, entry, path, listing, found):
                pending.append(path)
    found.files.sort()
    return found


def _take(root: Path, entry: os.DirEntry[str], path: str, listing: Listing | None, found: Found) -> bool:
    """Sort one entry into `found`; true for a directory that is to be walked."""
    python = entry.name.endswith(".py")
    if entry.is_symlink():
        _note_link(root, path, python, listing, found)
        return False
    if entry.is_dir(follow_symlinks=False):
        return _is_ours(entry, path, listing)
    if not python:
        return False
    if not entry.is_file(follow_symlinks=False):
        found.notes.append(f"{path}: not a regular file; skipped")
    elif listing is None or path in listing.files:
        found.files.append(path)
    return False


def _is_ours(entry: os.DirEntry[str], path: str, listing: Listing | None) -> bool:
    name = entry.name
    if name.startswith(".") or name in NEVER_OURS or name.endswith(".egg-info"):
        return False
    if listing is None:
        return name not in SELDOM_OURS
    return path in listing.folders


def _note_link(root: Path, path: str, python: bool, listing: Listing | None, found: Found) -> None:
    target = Path(os.path.realpath(root / path))
    wanted = python or target.is_dir()
    if wanted and (listing is None or path in listing.files) and not target.is_relative_to(root):
        found.notes.append(f"{path}: a symlink to outside of the root; not followed")


def read(root: Path, path: str) -> bytes:
    """A file's bytes. Raises OSError, also where it is a symlink or no regular file."""
    handle = os.open(root / path, os.O_RDONLY | _NOFOLLOW | _NONBLOCK | _BINARY)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "not a regular file")
        return file.read()


def write(root: Path, path: str, data: bytes) -> None:
    """Replace a file's content in one step, keeping mode and owner. Raises OSError; then the file is as it was."""
    target = root / path
    if not Path(os.path.realpath(target.parent)).is_relative_to(os.path.realpath(root)):
        raise OSError(0, "lies behind a symlink to outside of the root; not written")
    before = target.lstat()
    if not stat.S_ISREG(before.st_mode):
        raise OSError(0, "a symlink or special file; not written")
    if not before.st_mode & 0o222 or not os.access(target, os.W_OK):  # root may write what nobody is meant to
        raise PermissionError(13, "is write-protected")
    draft = draft_of(target)
    draft.unlink(missing_ok=True)
    try:
        _fill(draft, data, before)
        os.replace(draft, target)  # noqa: PTH105  # Path.replace is the same call with one more frame to be killed in
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def create(root: Path, path: str, data: bytes) -> None:
    """Make a file that is not there yet, with the folders above it. Raises OSError; then there is no file."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if not Path(os.path.realpath(target.parent)).is_relative_to(os.path.realpath(root)):
        raise OSError(0, "lies behind a symlink to outside of the root; not written")
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def remove(root: Path, path: str) -> None:
    """Take a file away, and nothing but a file. Raises OSError."""
    target = root / path
    if not stat.S_ISREG(target.lstat().st_mode):
        raise OSError(0, "a symlink or special file; not removed")
    target.unlink()


def _fill(draft: Path, data: bytes, like: os.stat_result) -> None:
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        if hasattr(os, "fchown") and (like.st_uid, like.st_gid) != (os.getuid(), os.getgid()):
            with contextlib.suppress(OSError):
                os.fchown(handle, like.st_uid, like.st_gid)
        if hasattr(os, "fchmod"):
            os.fchmod(handle, stat.S_IMODE(like.st_mode))
        os.fsync(handle)


def put_back(root: Path, path: str, data: bytes, kept: Path) -> None:
    """Write an old content back; where no more can be written, move the copy that was kept of it into its place."""
    try:
        write(root, path, data)
    except OSError:
        target = root / path
        if not stat.S_ISREG(target.lstat().st_mode):
            raise
        os.replace(kept, target)  # noqa: PTH105


def draft_of(target: Path) -> Path:
    """Where the new content of a file stands until it takes the file's place.

    The name is always the same, so that what a killed run left behind is found and removed by the next one.
    """
    name = f".{target.name}.ormlift-tmp"
    if len(os.fsencode(name)) > 255:
        name = f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()}.ormlift-tmp"
    return target.with_name(name)
