"""How commits are made: by `git commit --only` where a hook or a signature has a say, else many at once.

`git fast-import` makes commits some twenty times as fast as `git commit`, and asks no hook. What it leaves is the same:
the trees, the messages, the index and the files. The index is locked as git itself locks it while a batch is made.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ormlift_cli.git import GitError, Repository, literal, said
from ormlift_cli.journal import REF
from ormlift_cli.rollout import Commits

FAST, SLOW = 50, 1  # commits to a batch
_HOOKS = (
    "pre-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "post-index-change",
    "reference-transaction",
)
_QUIET = ("-c", "gc.auto=0", "-c", "maintenance.auto=false")
_SETTINGS = r"^(commit\.gpgsign|hook\..*|i18n\.commitencoding|core\.splitindex)$"
_PATIENCE = 5.0  # seconds to wait for another git's lock


@dataclass(frozen=True)
class Parcel:
    """The files of one commit, as they stand on disk, and its message."""

    paths: tuple[str, ...]  # relative to the top
    message: str


class Committer:
    """Makes commits in one repository."""

    def __init__(self, repository: Repository, choice: Commits, noted: Callable[[int], None]) -> None:
        self.repository = repository
        self.choice = choice
        self.noted = noted  # told of each git process that may leave locks behind
        self.fast = not (choice.sign or os.environ.get("GIT_INDEX_FILE") or _settings(repository) or _hooks(repository))

    def one(self, parcel: Parcel) -> None:
        """Commit as `git commit` does, with hooks and signature. Raises GitError.

        Interrupted, it waits for git to end, so that git removes its own locks.
        """
        sign = {"": (), "yes": ("--gpg-sign",)}.get(self.choice.sign, (f"--gpg-sign={self.choice.sign}",))
        command = ["git", *_QUIET, "commit", "--quiet", "--only", "--cleanup=whitespace", *sign, "--file=-", "--"]
        with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as message:
            message.write(self._text(parcel))
            message.seek(0)
            process = subprocess.Popen(
                [*command, *map(literal, parcel.paths)],
                cwd=self.repository.top,
                stdin=message,
                stdout=told,  # not a pipe: what a hook left running would keep it open
                stderr=subprocess.STDOUT,
            )
            try:
                self.noted(process.pid)
                process.wait(self.choice.timeout)
            except subprocess.TimeoutExpired:
                _end(process, 0.0)
                raise GitError(
                    f"it did not end within {self.choice.timeout} seconds; see what your hooks wait for"
                ) from None
            except BaseException:
                _end(process, 5.0)
                raise
            told.seek(0)
            if process.returncode:
                raise GitError(said(told.read(), process.returncode))

    def many(self, parcels: Sequence[Parcel], head: str) -> list[str]:
        """Commit all on top of `head`, as `one` would; their ids. Raises GitError, and then nothing is committed."""
        with self._index() as index:
            staged = self._staged([path for parcel in parcels for path in parcel.paths], index)
            made = self._imported(parcels, staged, head)
            self._point(made[-1], head, f"commit: ormlift, {len(made)} commit{'' if len(made) == 1 else 's'}", REF)
        return made

    def move(self, paths: Sequence[str], to: str, head: str) -> None:
        """Let the branch stand at another commit; `paths` are on disk what they are there, and nothing else differs."""
        with self._index() as index:
            self._staged(paths, index)
            self._point(to, head, "reset: ormlift, a rollback is undone")

    @contextmanager
    def _index(self) -> Iterator[Path]:
        """The index, locked as git locks it: changes of it hold when the block ends, and none if it fails."""
        git_dir = self.repository.git_dir
        lock, index = git_dir / "index.lock", git_dir / "index"
        _take(lock, index)
        try:
            yield lock
            os.replace(lock, index)  # noqa: PTH105
        except BaseException:
            for left in (lock, git_dir / "index.lock.lock"):
                left.unlink(missing_ok=True)
            raise

    def _point(self, to: str, head: str, why: str, gone: str = "") -> None:
        update = f"update HEAD {to} {head}\n" + (f"delete {gone}\n" if gone else "")
        self._git("update-ref", "-m", why, "--stdin", stdin=update.encode())

    def _staged(self, paths: Sequence[str], index: Path) -> dict[str, tuple[str, str]]:
        """Put files into an index as `git add` does; the mode and blob of each."""
        names = b"\0".join(map(os.fsencode, paths)) + b"\0"
        environment = {"GIT_INDEX_FILE": str(index)}
        self._git("update-index", "-z", "--stdin", stdin=names, environment=environment)
        output = self._git("ls-files", "-s", "-z", "--", *map(literal, paths), environment=environment)
        entries = (record.split(b"\t", 1) for record in output.split(b"\0") if record)
        found = {os.fsdecode(path): entry.decode().split() for entry, path in entries}
        return {path: (fields[0], fields[1]) for path, fields in found.items()}

    def _imported(self, parcels: Sequence[Parcel], staged: dict[str, tuple[str, str]], head: str) -> list[str]:
        author, committer = (self._git("var", f"GIT_{who}_IDENT").strip() for who in ("AUTHOR", "COMMITTER"))
        lines: list[bytes] = [b"feature done"]
        for number, parcel in enumerate(parcels, 1):
            text = self._text(parcel)
            lines += [b"commit %s" % REF.encode(), b"mark :%d" % number]
            lines += [b"author " + author, b"committer " + committer, b"data %d" % len(text), text]
            lines += [b"from " + head.encode()] if number == 1 else []
            for path in parcel.paths:
                mode, blob = staged[path]
                lines.append(f"M {mode} {blob} ".encode() + _quoted(path))
            lines += [b"", b"get-mark :%d" % number]
        stream = b"\n".join([*lines, b"done", b""])
        made = self._git("fast-import", "--quiet", "--done", "--force", "--date-format=raw", stdin=stream)
        return made.decode().split()

    def _git(self, *arguments: str, stdin: bytes = b"", environment: dict[str, str] | None = None) -> bytes:
        """Run git, and note its process; an interrupt ends it."""
        process = subprocess.Popen(
            ["git", *_QUIET, *arguments],
            cwd=self.repository.top,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            self.noted(process.pid)
            output, errors = process.communicate(stdin)
        except BaseException:
            _end(process, 5.0)
            raise
        if process.returncode:
            raise GitError(said(errors or output, process.returncode))
        return output

    def _text(self, parcel: Parcel) -> bytes:
        message = tidy(parcel.message)
        if self.choice.sign_off:
            ident = self.repository.run("var", "GIT_COMMITTER_IDENT").decode("utf-8", "surrogateescape")
            message = f"{message}Signed-off-by: {ident.rpartition('>')[0]}>\n"
        return message.encode("utf-8", "surrogateescape")


def tidy(message: str) -> str:
    """A message without what git would strip from it: space at the ends of lines, and blank lines beyond one."""
    lines: list[str] = []
    for line in message.split("\n"):
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines).rstrip("\n") + "\n"


def _settings(repository: Repository) -> bool:
    """Whether git is configured so that only `git commit` itself does it right."""
    try:
        output = repository.run("config", "-z", "--get-regexp", _SETTINGS).decode(errors="replace")
    except GitError:
        return False  # none of them is set
    pairs = dict(record.partition("\n")[::2] for record in output.split("\0") if record)  # the last one of a key holds
    return any(value.lower() not in ("false", "no", "off", "0", "utf-8", "utf8") for value in pairs.values())


def _hooks(repository: Repository) -> bool:
    folder = repository.top / os.fsdecode(repository.run("rev-parse", "--git-path", "hooks").rstrip(b"\n"))
    return any(os.access(folder / name, os.X_OK) for name in _HOOKS)


def _take(lock: Path, index: Path) -> None:
    """Lock the index as git does, with a copy of it in the lock. Raises GitError where another git holds it.

    The copy is as old as the index: by that git knows which entries are too young for their times to be trusted
    (https://git-scm.com/docs/racy-git).
    """
    mode = index.stat().st_mode & 0o777
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            handle = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            break
        except FileExistsError:
            if time.monotonic() > until:
                raise GitError(f"{lock} exists: another git works here") from None
            time.sleep(0.05)
    try:
        with os.fdopen(handle, "wb") as file, index.open("rb") as source:
            file.write(source.read())
            file.flush()
            told = os.fstat(source.fileno())
            os.utime(lock, ns=(told.st_atime_ns, told.st_mtime_ns))
    except BaseException:
        lock.unlink(missing_ok=True)
        raise


def _quoted(path: str) -> bytes:
    signs = {b'"': b'\\"', b"\\": b"\\\\", b"\n": b"\\n"}
    raw = os.fsencode(path)
    return b'"' + b"".join(signs.get(raw[n : n + 1], raw[n : n + 1]) for n in range(len(raw))) + b'"'


def _end(process: subprocess.Popen[bytes], patience: float) -> None:
    """Wait for a git that got the same interrupt; end it, and what it started, if it does not."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        if patience:
            process.wait(patience)
            return
    family = list(_below(process.pid))
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in family:
        with contextlib.suppress(OSError):
            os.kill(pid, 15)


def _below(pid: int) -> Iterator[int]:
    """The processes that a process started, as far as the system tells."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                yield child
                yield from _below(child)
