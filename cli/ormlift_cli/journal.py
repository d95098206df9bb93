"""What stands between a kill and a half-done repository: a note of the one file that is being changed.

The journal lives in the git directory, in `ormlift/`. Before a file is written its old content and the hash of its
new content are put there; after its commit they are taken away. The next run finds what a killed one left, and sets
the file back where its commit was not made. A lock keeps two runs apart, and dies with its process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ormlift.model import UserError

from ormlift_cli.files import create, draft_of, read, remove, write
from ormlift_cli.git import Repository, literal

try:
    import fcntl
except ImportError:  # Windows: no lock; two runs at once are the user's to avoid
    fcntl = None  # type: ignore[assignment]

_LOCK_AGE = 30.0  # seconds; git takes its locks right at the start of a commit


@dataclass(frozen=True)
class Step:
    """One file on its way from its old content to a commit of the new."""

    path: str  # relative to the top of the work tree
    head: str  # where HEAD stood before
    after: str  # sha256 of the new content; empty where the file goes
    created: bool = False  # the file was not there before


@dataclass(frozen=True)
class RunNote:
    """A run that has not ended."""

    run: str
    request: str  # what was asked for; only the same request goes on under the same id
    branch: str


class Journal:
    """The journal of one work tree."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.folder = repository.git_dir / "ormlift"

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

    # The step

    def begin(self, step: Step, before: bytes) -> None:
        """Note a step before its file is touched."""
        (self.folder / "before").write_bytes(before)
        self._put("step.json", asdict(step))

    def committing(self, pid: int) -> None:
        """Note the process id of the git that makes the commit."""
        (self.folder / "git.pid").write_text(str(pid))

    def end(self) -> None:
        """The step is done, or was taken back."""
        (self.folder / "step.json").unlink(missing_ok=True)
        (self.folder / "git.pid").unlink(missing_ok=True)

    # The run

    def open_run(self, note: RunNote) -> RunNote:
        """Note that a run begins, or take up the one that was interrupted, if it was asked for the same."""
        found = self._get("run.json")
        with contextlib.suppress(TypeError):
            left = RunNote(**found)
            if (left.request, left.branch) == (note.request, note.branch):
                return left
        self._put("run.json", asdict(note))
        return note

    def close_run(self) -> None:
        """The run has ended."""
        (self.folder / "run.json").unlink(missing_ok=True)

    # After a kill

    def recover(self) -> list[str]:
        """Clear up what a killed run left; notes on what was done. Raises UserError where it must not be touched."""
        try:
            step = Step(**self._get("step.json"))
        except TypeError:
            return []
        self._wait_for_git()
        self._unlock()
        notes = self._settle(step)
        self.end()
        return notes

    def _settle(self, step: Step) -> list[str]:
        top = self.repository.top
        draft_of(top / step.path).unlink(missing_ok=True)
        old, new = (self._entry(commit, step.path) for commit in (step.head, "HEAD"))
        if old != new:
            self._settle_index(step, old, new)
            return []
        before = (self.folder / "before").read_bytes()
        try:
            current = read(top, step.path)
        except OSError:
            return self._settle_gone(step, before)
        if step.created:
            return self._settle_created(step, current)
        if current == before:
            return []
        if digest(current) != step.after:
            return [f"{step.path}: was changed after a run was interrupted; left as it is"]
        write(top, step.path, before)
        return [f"{step.path}: an interrupted run had written it without a commit; set back"]

    def _settle_gone(self, step: Step, before: bytes) -> list[str]:
        if step.created:
            self.repository.forget(step.path)
            return []
        if step.after:
            return [f"{step.path}: is gone since a run was interrupted; left so"]
        create(self.repository.top, step.path, before)
        return [f"{step.path}: an interrupted run had removed it without a commit; put back"]

    def _settle_created(self, step: Step, current: bytes) -> list[str]:
        if digest(current) != step.after:
            return [f"{step.path}: was changed after a run was interrupted; left as it is"]
        remove(self.repository.top, step.path)
        self.repository.forget(step.path)
        return [f"{step.path}: an interrupted run had made it without a commit; removed"]

    def _settle_index(self, step: Step, old: str, new: str) -> None:
        """Git was killed after it moved the branch and before it moved the index: let the index follow."""
        if new and (step.created or self.repository.index_entry(step.path).rsplit(" ", 1)[0] == old):
            self.repository.index_follows(step.path, "HEAD")
        elif not new:
            self.repository.forget(step.path)

    def _entry(self, commit: str, path: str) -> str:
        fields = self.repository.run("ls-tree", "-z", commit, "--", literal(path)).split(b"\t")[0].decode().split()
        return f"{fields[0]} {fields[2]}" if len(fields) == 3 else ""

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
        noted = (self.folder / "step.json").stat().st_mtime
        for lock in self._locks():
            try:
                age = lock.stat().st_mtime - noted
            except FileNotFoundError:
                continue
            if not -1.0 <= age <= _LOCK_AGE:
                raise UserError(f"{lock} exists; if no other git works here, remove it and try again")
            lock.unlink(missing_ok=True)

    def _locks(self) -> Iterator[Path]:
        git_dir = self.repository.git_dir
        yield git_dir / "index.lock"
        yield git_dir / "HEAD.lock"
        yield from git_dir.glob("next-index-*.lock")
        branch = self.repository.branch()
        if branch:
            yield self.repository.common_dir / f"{branch}.lock"

    # Files

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
    if data is None:
        return ""
    return hashlib.sha256(data).hexdigest()


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
