"""Globs of paths, as `.gitignore` writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def matcher(globs: Iterable[str]) -> Callable[[str], bool]:
    """A test whether any of the globs matches a path that is relative to the root."""
    import pathspec

    return pathspec.GitIgnoreSpec.from_lines(globs).match_file


def anchored(globs: Iterable[str]) -> list[str]:
    """The globs, each bound to the root: `web_app.py` is the one at the top, not any file of that name."""
    return [glob if glob.startswith(("/", "**/", "!")) else f"/{glob}" for glob in globs]
