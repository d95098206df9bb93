"""Where the project stands: its root, its repository, its configuration, and the files that were asked for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ormlift.model import UserError

from ormlift_cli.config import Config, find_config
from ormlift_cli.files import Found, Listing, discover


@dataclass(frozen=True)
class Project:
    """The project around the given paths."""

    root: Path  # a real path; every other path is told relative to it
    top: Path | None  # the top of the git work tree, or None where there is none
    config: Config

    @property
    def prefix(self) -> str:
        """The root relative to the work tree's top, with a slash behind it; empty where they are the same."""
        if self.top is None or self.top == self.root:
            return ""
        return self.root.relative_to(self.top).as_posix() + "/"


@dataclass
class Selection:
    """The project's files, and those of them that were asked for."""

    found: Found
    selected: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)  # given paths that cannot be used, one line each


def locate(paths: Sequence[Path]) -> Project:
    """The project around the first path that exists, or around the working directory.

    Its root is where the configuration stands, else the top of the git work tree, else the directory itself.
    """
    first = next((path for path in paths if path.exists()), Path())
    start = Path(os.path.realpath(first))
    if not start.is_dir():
        start = start.parent
    top = next((folder for folder in (start, *start.parents) if (folder / ".git").exists()), None)
    config = find_config(start, top)
    return Project(config.path.parent if config.path else top or start, top, config)


def select(project: Project, paths: Sequence[Path]) -> Selection:
    """Walk the project and pick what lies under `paths`; all of it where none is given."""
    listing, note = git_listing(project)
    selection = Selection(discover(project.root, listing))
    selection.found.notes.extend(note)
    wanted = [name for path in paths if (name := _inside(project, path, selection.mistakes)) is not None]
    if paths and not wanted:
        raise UserError("; ".join(selection.mistakes))
    found = selection.found
    if not wanted or "" in wanted:
        selection.selected = list(found.files)
        return selection
    named = {name for name in wanted if (project.root / name).is_file()}  # a file that is named is taken as it is
    found.files = sorted({*found.files, *named})
    selection.selected = [path for path in found.files if _under(path, wanted)]
    found.failures = [failed for failed in found.failures if _under(failed.path, wanted)]
    return selection


def git_listing(project: Project) -> tuple[Listing | None, list[str]]:
    """What git tracks or would track under the root, asked once; None and a note where git cannot say."""
    if project.top is None:
        return None, []
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(command, cwd=project.root, capture_output=True, check=True)
    except FileNotFoundError:
        return None, ["git is not installed; files that it ignores are read as well"]
    except subprocess.CalledProcessError as error:
        last = error.stderr.decode(errors="replace").strip().splitlines()[:1] or ["it says nothing more"]
        return None, [f"git cannot list the files, so those it ignores are read as well: {last[0]}"]
    return Listing.of(_decoded(done.stdout)), []


def _decoded(output: bytes) -> Iterator[str]:
    return (os.fsdecode(name) for name in output.split(b"\0") if name)


def _inside(project: Project, path: Path, mistakes: list[str]) -> str | None:
    """The path relative to the root (empty: the root or what is around it), or None and a mistake."""
    real = Path(os.path.realpath(path))
    if not real.exists():
        mistakes.append(f"{path}: no such file or directory")
    elif real.is_dir() and project.root.is_relative_to(real):
        return ""
    elif not real.is_relative_to(project.root):
        mistakes.append(f"{path}: lies outside of the root {project.root}; run ormlift there")
    else:
        return real.relative_to(project.root).as_posix()
    return None


def _under(path: str, wanted: list[str]) -> bool:
    return any(path == name or path.startswith(f"{name}/") for name in wanted)
