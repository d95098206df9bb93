"""What stands between a kill and a half-done repository: a note of the files that are being changed.

The journal lives in the git directory, in `ormlift/`. Before a file is written its old content and the hash of its
new content are put there; after its commit they are taken away. The next run finds what a killed one left, and sets
each file back whose commit was not made. A lock keeps two runs apart, and dies with its process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

from ormlift.model import UserError

from ormlift_cli.files import create, draft_of, put_back, read, remove
from ormlift_cli.git import Repository

try:
    import fcntl
except ImportError:  # Windows: no lock; two runs at once are the user's to avoid
    fcntl = None  # type: ignore[assignment]

REF = "refs/worktree/ormlift"  # where a batch of commits grows before the branch follows; gone when it has
_LOCK_AGE = 30.0  # seconds; git takes its locks right at the start of a commit


@dataclass(frozen=True)
class Mark:
    """One file on its way from its old content to a commit of the new."""

    path: str  # relative to the top of the work tree
    after: str  # sha256 of the new content; empty where the file goes
    created: bool = False  # the file was not there before


@dataclass(frozen=True)
class RunNote:
    """A run that has not ended."""

    run: str
    request: dict[str, object]  # what was asked for; only the same request goes on under the same id
    branch: str


class Journal:
    """The journal of one work tree."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.folder = repository.git_dir / "ormlift"
        self._noted: dict[str, int] = {}  # where each file's old content stands

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock. Raises UserError where another process holds it."""
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "lock").open("a") as lock:
            if fcntl is not None:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    raise UserError("another ormlift works in this repository; wait for it to end") from None
            yield

    # The batch

    def begin(self, head: str, marks: Sequence[Mark], before: Sequence[bytes | None]) -> None:
        """Note a batch before the first of its files is touched. Raises OSError, and then nothing is noted."""
        try:
            for number, (mark, content) in enumerate(zip(marks, before, strict=True)):
                copy = self.folder / f"before-{number}"
                copy.write_bytes(content or b"")
                if content is not None:
                    copy.chmod(stat.S_IMODE((self.repository.top / mark.path).stat().st_mode))
            self._put("step.json", {"head": head, "files": [astuple(mark) for mark in marks]})
        except OSError:
            self._sweep()
            raise
        self._noted = {mark.path: number for number, mark in enumerate(marks)}

    def kept(self, path: str) -> Path:
        """Where the old content of a file of the batch stands."""
        return self.folder / f"before-{self._noted[path]}"

    def committing(self, pid: int) -> None:
        """Note the process id of a git that works for the batch."""
        (self.folder / "git.pid").write_text(str(pid))

    def end(self) -> None:
        """The batch is done, or was taken back."""
        (self.folder / "step.json").unlink(missing_ok=True)
        self._sweep()

    def _sweep(self) -> None:
        for left in (*self.folder.glob("before-*"), self.folder / "git.pid", self.folder / "step.json.tmp"):
            left.unlink(missing_ok=True)

    # The run

    def open_run(self, note: RunNote) -> RunNote:
        """Note that a run begins, or take up the one that was interrupted, if it was asked for the same."""
        left = self.left()
        if left and (left.request, left.branch) == (note.request, note.branch):
            return left
        self._put("run.json", asdict(note))
        return note

    def left(self) -> RunNote | None:
        """The run that was interrupted, if one was."""
        with contextlib.suppress(TypeError):
            return RunNote(**self._get("run.json"))
        return None

    def close_run(self) -> None:
        """The run has ended."""
        (self.folder / "run.json").unlink(missing_ok=True)

    # After a kill

    def recover(self) -> list[str]:
        """Clear up what a killed run left; notes on what was done. Raises UserError where it must not be touched."""
        step = self._get("step.json")
        if not step:
            self._sweep()  # killed after its last step
            return []
        self._wait_for_git()
        self._unlock()
        marks = [Mark(*mark) for mark in step["files"]]
        notes = self._settle(step["head"], marks)
        self.end()
        return notes

    def _settle(self, head: str, marks: Sequence[Mark]) -> list[str]:
        paths = [mark.path for mark in marks]
        old, new = (self.repository.entries(commit, paths) for commit in (head, "HEAD"))
        notes = []
        for number, mark in enumerate(marks):
            draft_of(self.repository.top / mark.path).unlink(missing_ok=True)
            if old.get(mark.path) != new.get(mark.path):
                self._settle_index(mark, old.get(mark.path), new.get(mark.path))
            else:
                notes += self._set_back(mark, self.folder / f"before-{number}")
        if (self.repository.git_dir / REF).exists():
            self.repository.run("update-ref", "-d", REF)
        return notes

    def _set_back(self, mark: Mark, kept: Path) -> list[str]:
        top = self.repository.top
        try:
            current = read(top, mark.path)
        except OSError:
            return self._settle_gone(mark, kept)
        if mark.created:
            return self._settle_created(mark, current)
        before = kept.read_bytes() if kept.exists() else current  # it has been put back already, by a move
        if current == before:
            return []
        if digest(current) != mark.after:
            return [f"{mark.path}: was changed after a run was interrupted; left as it is"]
        put_back(top, mark.path, before, kept)
        return [f"{mark.path}: an interrupted run had written it without a commit; set back"]

    def _settle_gone(self, mark: Mark, kept: Path) -> list[str]:
        if mark.created:
            self.repository.forget(mark.path)
            return []
        if mark.after:
            return [f"{mark.path}: is gone since a run was interrupted; left so"]
        create(self.repository.top, mark.path, kept.read_bytes())
        return [f"{mark.path}: an interrupted run had removed it without a commit; put back"]

    def _settle_created(self, mark: Mark, current: bytes) -> list[str]:
        if digest(current) != mark.after:
            return [f"{mark.path}: was changed after a run was interrupted; left as it is"]
        remove(self.repository.top, mark.path)
        self.repository.forget(mark.path)
        return [f"{mark.path}: an interrupted run had made it without a commit; removed"]

    def _settle_index(self, mark: Mark, old: tuple[str, str] | None, new: tuple[str, str] | None) -> None:
        """Git was killed after it moved the branch and before it moved the index: let the index follow."""
        held = self.repository.index_entry(mark.path).rsplit(" ", 1)[0]
        if new and (mark.created or (old and held == " ".join(old))):
            self.repository.index_follows(mark.path, "HEAD")
        elif not new:
            self.repository.forget(mark.path)

    def _wait_for_git(self) -> None:
        """A git that outlived its ormlift may still be at work."""
        try:
            pid = int((self.folder / "git.pid").read_text())
        except (FileNotFoundError, ValueError):
            return
        for _ in range(100):
            if not _is_git(pid):
                return
            time.sleep(0.1)
        raise UserError(f"a git commit of an interrupted run still works here (process {pid}); wait for it to end")

    def _unlock(self) -> None:
        """Remove the locks that a killed git left. Any other lock is somebody's at work."""
        times = [file.stat().st_mtime for name in ("step.json", "git.pid") if (file := self.folder / name).exists()]
        for lock in self._locks():
            try:
                ages = [lock.stat().st_mtime - noted for noted in times]
            except FileNotFoundError:
                continue
            if not any(-1.0 <= age <= _LOCK_AGE for age in ages):
                raise UserError(f"{lock} exists; if no other git works here, remove it and try again")
            lock.unlink(missing_ok=True)

    def _locks(self) -> Iterator[Path]:
        git_dir, common_dir = self.repository.git_dir, self.repository.common_dir
        yield from (git_dir / f"{name}.lock" for name in ("index", "index.lock", "HEAD", REF))
        yield from git_dir.glob("next-index-*.lock")
        yield common_dir / "packed-refs.lock"
        branch = self.repository.branch()
        if branch:
            yield common_dir / f"{branch}.lock"

    # Files

    def note(self, name: str, value: object) -> None:
        """Keep something small until it is dropped."""
        self._put(name, value)

    def noted(self, name: str) -> dict[str, Any]:
        """What was kept; empty: nothing."""
        return self._get(name)

    def drop(self, name: str) -> None:
        """Keep it no longer."""
        (self.folder / name).unlink(missing_ok=True)

    def _put(self, name: str, value: object) -> None:
        draft = self.folder / f"{name}.tmp"
        draft.write_text(json.dumps(value))
        os.replace(draft, self.folder / name)  # noqa: PTH105

    def _get(self, name: str) -> dict[str, Any]:
        try:
            value = json.loads((self.folder / name).read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}


def digest(data: bytes | None) -> str:
    """The hash by which the journal knows a content; empty for none."""
    return "" if data is None else hashlib.sha256(data).hexdigest()


def _is_git(pid: int) -> bool:
    """Whether a process of that id lives, and is a git as far as the system tells."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False
    state = Path(f"/proc/{pid}/stat")
    if state.exists():
        with contextlib.suppress(OSError, IndexError):
            text = state.read_text()
            return "(git" in text and text.rpartition(")")[2].split()[0] != "Z"
    return True
