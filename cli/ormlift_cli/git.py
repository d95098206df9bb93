"""The user's repository: what may be committed, and what it holds.

GitPython opens the repository and reads objects; where its wrapper's cost would be paid once a file, git is called
directly.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ormlift.model import UserError

if TYPE_CHECKING:
    from git import Repo

_BATCH = 200  # paths on one command line
_UNFINISHED = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
}


class GitError(Exception):
    """A git command failed. Its text is what git, or the user's hook, said last."""


@dataclass(frozen=True)
class Repository:
    """An open work tree in which ormlift may commit. Paths are relative to `top`, with forward slashes."""

    top: Path
    git_dir: Path
    common_dir: Path
    repo: Repo

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run git at the top of the work tree. Raises GitError."""
        done = subprocess.run(["git", *arguments], cwd=self.top, input=stdin, capture_output=True, check=False)
        if done.returncode:
            raise GitError(said(done.stderr or done.stdout, done.returncode))
        return done.stdout

    def head(self) -> str:
        """The id of the commit that HEAD stands at."""
        return self.run("rev-parse", "--verify", "HEAD").decode().strip()

    def branch(self) -> str:
        """The full name of the branch, or empty where HEAD is detached."""
        return "" if self.repo.head.is_detached else self.repo.head.reference.path

    def uncommitted(self, paths: Sequence[str]) -> dict[str, str]:
        """Those of `paths` that cannot be committed on their own, each with what stands in the way."""
        found: dict[str, str] = {}
        for batch in _batches(paths):
            found |= self._hidden(batch) | self._changed(batch)
        return found

    def _changed(self, paths: Sequence[str]) -> dict[str, str]:
        options = ("--porcelain=v1", "-z", "--untracked-files=all", "--ignored=matching", "--no-renames")
        output = self.run("--no-optional-locks", "status", *options, "--", *map(literal, paths))
        found = {}
        for record in output.split(b"\0"):
            if not record:
                continue
            state, path = record[:2].decode(), os.fsdecode(record[3:])
            if path in found:
                continue  # removed from the index and still there: it comes a second time, as untracked
            if state in ("??", "!!"):
                found[path] = "is not tracked by git; add and commit it first, or use --no-commit"
            else:
                found[path] = "has uncommitted changes; commit or stash them first"
        return {path: why for path, why in found.items() if path in set(paths)} | self._under_ignored(found, paths)

    def _under_ignored(self, found: dict[str, str], paths: Sequence[str]) -> dict[str, str]:
        """Paths in an untracked or ignored folder, which git names instead of them."""
        folders = tuple(path for path in found if path.endswith("/"))
        return {path: found[folder] for path in paths for folder in folders if path.startswith(folder)}

    def _hidden(self, paths: Sequence[str]) -> dict[str, str]:
        """Files that git was told not to look at: their changes would be committed unseen."""
        output = self.run("ls-files", "-v", "-z", "--", *map(literal, paths))
        found = {}
        for record in output.split(b"\0"):
            if record and (record[:1].islower() or record[:1] == b"S"):
                found[os.fsdecode(record[2:])] = "is marked assume-unchanged or skip-worktree in git; unmark it first"
        return found

    def intend(self, path: str) -> None:
        """Tell the index that a file is to come, so that it can be committed on its own. Raises GitError."""
        self.run("-c", "advice.addIgnoredFile=false", "add", "--intent-to-add", "--", literal(path))

    def forget(self, path: str) -> None:
        """Take back `intend`."""
        self.run("rm", "--cached", "--quiet", "--force", "--ignore-unmatch", "--", literal(path))

    def blob(self, commit: str, path: str) -> bytes | None:
        """A file's content in a commit; None where the commit does not hold it as a regular file."""
        entry = self.run("ls-tree", "-z", commit, "--", literal(path))
        fields = entry.split(b"\t")[0].split()
        if len(fields) != 3 or fields[1] != b"blob" or fields[0] == b"120000":
            return None
        return self.run("cat-file", "blob", fields[2].decode())

    def on_disk(self, path: str, data: bytes) -> bytes:
        """A blob's content as git would check it out: with the newlines and filters that are configured."""
        name = self.run("hash-object", "-w", "--stdin", stdin=data).decode().strip()
        return self.run("cat-file", "--filters", f"--path={path}", name)

    def index_entry(self, path: str) -> str:
        """The mode and blob id that the index holds for a file, or empty."""
        return self.run("ls-files", "-s", "-z", "--", literal(path)).split(b"\t")[0].decode()

    def index_follows(self, path: str, commit: str) -> None:
        """Set the index's entry of one file to what a commit holds."""
        fields = self.run("ls-tree", "-z", commit, "--", literal(path)).split(b"\t")[0].split()
        self.run("update-index", "--cacheinfo", f"{fields[0].decode()},{fields[2].decode()},{path}")

    def entries(self, commit: str, paths: Sequence[str]) -> dict[str, tuple[str, str]]:
        """The mode and blob id of those of `paths` that a commit holds as regular files."""
        found: dict[str, tuple[str, str]] = {}
        for batch in _batches(paths):
            for record in self.run("ls-tree", "-z", commit, "--", *map(literal, batch)).split(b"\0"):
                fields, _, name = record.partition(b"\t")
                mode, kind, blob = fields.decode().split() if name else ("", "", "")
                if kind == "blob" and mode != "120000":
                    found[os.fsdecode(name)] = (mode, blob)
        return found

    def contents(self, blobs: Iterable[str]) -> dict[str, bytes]:
        """The contents of blobs by their ids, read by one process."""
        names = list(dict.fromkeys(blobs))
        output = self.run("cat-file", "--batch", stdin="".join(f"{name}\n" for name in names).encode())
        found, start = {}, 0
        for name in names:
            head, _, _ = output[start : start + 200].partition(b"\n")
            if head.endswith(b"missing"):
                raise GitError(f"object {name} is missing (a shallow or partial clone?)")
            begin = start + len(head) + 1
            start = begin + int(head.split()[-1]) + 1
            found[name] = output[begin : start - 1]
        return found

    def is_shallow(self) -> bool:
        """Whether the history ends where the clone was cut off."""
        return self.run("rev-parse", "--is-shallow-repository").strip() == b"true"


def open_repository(root: Path) -> Repository:
    """The repository around `root`, ready for commits. Raises UserError that says what stands in the way."""
    if shutil.which("git") is None:
        raise UserError("git is not installed; use --no-commit to write without commits")
    from git import Repo
    from git.exc import InvalidGitRepositoryError, NoSuchPathError

    try:
        repo = Repo(root, search_parent_directories=True)
    except (InvalidGitRepositoryError, NoSuchPathError):
        raise UserError(f"{root} is not in a git repository; use --no-commit to write without commits") from None
    if repo.bare or repo.working_tree_dir is None:
        raise UserError(f"{repo.git_dir} is a bare repository; run ormlift in a work tree")
    git_dir, common_dir = Path(repo.git_dir).absolute(), Path(repo.common_dir).absolute()
    return Repository(Path(os.path.realpath(repo.working_tree_dir)), git_dir, common_dir, repo)


def check_ready(repository: Repository) -> None:
    """Raise UserError where no commit can be made at all: better said once, before anything is written."""
    if not repository.repo.head.is_valid():
        raise UserError("the repository has no commit yet; make the first commit, or use --no-commit")
    for mark, name in _UNFINISHED.items():
        if (repository.git_dir / mark).exists():
            raise UserError(f"a {name} is in progress; finish it (or `git {name} --abort`) first")
    try:
        unmerged = repository.run("ls-files", "-u", "-z")
        repository.run("var", "GIT_AUTHOR_IDENT")
        repository.run("var", "GIT_COMMITTER_IDENT")
    except GitError as error:
        if "dubious ownership" in str(error):
            raise UserError(f"git does not trust this repository: {error}") from None
        raise UserError("git has no user.name and user.email; set both with `git config`") from None
    if unmerged:
        raise UserError("the index holds unmerged files; resolve them first")


def literal(path: str) -> str:
    """A pathspec that matches this path alone, whatever characters it holds."""
    return f":(top,literal){path}"


def said(output: bytes, code: int) -> str:
    """The last lines of what git or a hook said, in one line."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith("fatal: ") and line not in lines[-3:]]  # advice comes after it
    return " | ".join([*fatal[:1], *lines[-3:]]) or f"it ended with code {code} and said nothing"


def _batches(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _BATCH):
        yield paths[start : start + _BATCH]
