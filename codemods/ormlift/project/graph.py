"""Who imports whom: read from import lines alone, so that all files of a project cost a fraction of a second.

Two questions are answered. Would a new import close a circle, so that a module is asked for a name before it has it?
Does another file import a name from here, so that its import must stay although this file no longer uses it?
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ormlift.project.names import is_test_path
from ormlift.project.patched import Patch, patches

_IMPORT = re.compile(
    r"^(?P<indent>[ \t]*)(?:from[ \t]+(?P<module>[.\w]+)[ \t]+import[ \t]*(?P<names>\([^)]*\)|[^\n;]+)"
    r"|import[ \t]+(?P<plain>[^\n;(]+))",
    re.MULTILINE,
)
_HEADER = re.compile(r"^(?P<word>[^\s#)\]}][^\n]*)", re.MULTILINE)
_TESTS = ("pytest", "unittest", "monkeypatch")
_RUNS_AT_IMPORT = ("try", "except", "else", "if", "elif", "finally", "with", "for", "while")


@dataclass(frozen=True, slots=True)
class ImportLine:
    """One import of a file."""

    module: str  # as written, relative dots included
    names: tuple[str, ...]  # of a from-import; empty: `import module`
    at_import: bool  # runs when the file is imported, not inside a function
    patch: Patch | None = None  # no import: a test gives that name of the module another value


def import_lines(text: str, path: str = "") -> tuple[ImportLine, ...]:
    """The imports of a file, found by pattern. May name imports that stand in strings: more, never fewer."""
    if "import" not in text:
        return ()
    headers: list[tuple[int, str]] | None = None
    found: list[ImportLine] = []
    for match in _IMPORT.finditer(text):
        at_import = not match["indent"]
        if not at_import:
            if headers is None:
                headers = [(m.start(), m["word"]) for m in _HEADER.finditer(text)]
            at_import = _runs_at_import(headers, match.start())
        if match["plain"]:
            found += [ImportLine(name, (), at_import) for name in _names(match["plain"])]
        else:
            found.append(ImportLine(match["module"], tuple(_names(match["names"])), at_import))
    return (*found, *_patched(text, path))


def _patched(text: str, path: str) -> Iterator[ImportLine]:
    """What is replaced in a module, as `patch("app.jobs.NAME")` or `setattr(jobs, "NAME", ..)`: read as imports."""
    for found in patches(text, is_test=is_test_path(path) or any(word in text for word in _TESTS)):
        yield ImportLine(found.holder, (found.name,), at_import=False, patch=found)


def _runs_at_import(headers: list[tuple[int, str]], position: int) -> bool:
    index = bisect_right(headers, (position, "")) - 1
    if index < 0:
        return False
    word = headers[index][1]
    return word.startswith(_RUNS_AT_IMPORT) and "TYPE_CHECKING" not in word and "__main__" not in word


def _names(listed: str) -> Iterator[str]:
    for part in re.sub(r"#[^\n]*", "", listed).replace("\\", " ").strip("()\n ").split(","):
        words = part.split()
        if words:
            yield words[0]


@dataclass(frozen=True)
class ImportGraph:
    """The imports of a whole project."""

    files: Mapping[str, tuple[ImportLine, ...]] = field(default_factory=dict)  # path -> its imports

    def closes_circle(self, path: str, module: str) -> bool:
        """Whether `path` importing `module` at its top would make a circle: module already leads back to path."""
        seen: set[str] = set()
        stack = list(self._files_of(path, module))
        while stack:
            current = stack.pop()
            if current == path:
                return True
            if current not in seen:
                seen.add(current)
                stack += self._edges.get(current, ())
        return False

    def imported_from(self, path: str, name: str) -> bool:
        """Whether another file imports `name` from the module at `path` (or everything of it)."""
        return bool({name, "*"} & self._taken.get(path, set()))

    def takers(self, path: str, name: str) -> list[str]:
        """The other files that import `name` from the module at `path`, or everything of it."""
        if not self.imported_from(path, name):
            return []
        taken = {name, "*"}
        return sorted(
            other
            for other, lines in self.files.items()
            if any(taken & set(line.names) and path in self._files_of(other, line.module) for line in lines)
        )

    @cached_property
    def patches(self) -> dict[str, list[tuple[str, Patch]]]:
        """By name, what the project's tests put another in the place of, with the file that does so."""
        found: dict[str, list[tuple[str, Patch]]] = {}
        for path, lines in self.files.items():
            for line in lines:
                if line.patch is not None:
                    found.setdefault(line.patch.name, []).append((path, line.patch))
        return found

    def may_run(self, test: str, path: str) -> bool:
        """Whether a test, or one that takes something from it, may run code of a file: leads there by its imports."""
        if test not in self._runners:
            folder = test.removesuffix("conftest.py") if test.endswith("conftest.py") else None
            below = (other for other in self.files if folder is not None and other.startswith(folder))
            self._runners[test] = (*below, *_closure(self._users, test))
        return any(path in self._reach(user) for user in self._runners[test])

    @cached_property
    def _runners(self) -> dict[str, tuple[str, ...]]:
        """By test, itself and those that take something from it."""
        return {}

    def _reach(self, path: str) -> set[str]:
        if path not in self._reached:
            self._reached[path] = _closure(self._all_edges, path)
        return self._reached[path]

    @cached_property
    def _reached(self) -> dict[str, set[str]]:
        return {}

    @cached_property
    def _users(self) -> dict[str, set[str]]:
        users: dict[str, set[str]] = {}
        for path, targets in self._all_edges.items():
            for target in targets:
                users.setdefault(target, set()).add(path)
        return users

    @cached_property
    def _all_edges(self) -> dict[str, frozenset[str]]:
        """By file, what it imports or patches, at its top or inside functions."""
        return {path: frozenset(self._imported_by(path)) for path in self.files}

    def leads_to(self, path: str, target: str) -> bool:
        """Whether a file imports another one or patches it, directly or by way of others."""
        return target in self._reach(path)

    def takes_from(self, path: str, target: str) -> bool:
        """Whether a file itself imports another one or something of it, or patches it."""
        return target in self._all_edges.get(path, ())

    def takes_all(self, path: str) -> bool:
        """Whether another file imports all of the module at `path` with a star."""
        return "*" in self._taken.get(path, set())

    def held_in(self, path: str, dotted: str) -> list[tuple[str, str]]:
        """The files and the names in them that a dotted path of a test may lead to; none: it leads out of the project.

        `app.jobs.manager` is `manager` in `app/jobs.py`, and `manager` in `app/jobs/__init__.py`.
        """
        level = len(dotted) - len(dotted.lstrip("."))
        parts = dotted[level:].split(".")
        for end in range(len(parts), 0, -1):
            files = self._modules(path, "." * level + ".".join(parts[:end]))
            if files:
                return [(file, ".".join(parts[end:])) for file in files]
        return []

    def _modules(self, path: str, dotted: str) -> list[str]:
        if dotted.startswith("."):
            return list(self._resolve(path, dotted))
        wanted = tuple(dotted.split("."))
        return [self._paths[p] for p in self._by_tail.get(wanted[-1], ()) if p[-len(wanted) :] == wanted]

    def may_be_read(self, path: str, name: str) -> bool:
        """Whether another file may read `name` of the module at `path`: imports it, or the module whole.

        True also where nothing is known of the project's imports.
        """
        return not self.files or self.imported_from(path, name) or path in self._whole

    def named(self, path: str, module: str) -> list[str]:
        """The files that a module's name may mean where `path` imports it: below a folder around that file."""
        level = len(module) - len(module.lstrip("."))
        wanted = tuple(part for part in module.split(".") if part)
        if level:
            return list(self._resolve(path, module))
        roots = [
            parts[: -len(wanted)] for parts in self._by_tail.get(wanted[-1], ()) if parts[-len(wanted) :] == wanted
        ]
        folders = tuple(path.split("/")[:-1])
        near = [root for root in roots if folders[: len(root)] == root or root in (("src",), ("lib",))]
        return [self._paths[root + wanted] for root in near]

    def reached_from(self, paths: Iterable[str], steps: int) -> list[str]:
        """The files that some files import, directly or so many steps on, at their top or inside functions."""
        reached: set[str] = set()
        edge = set(paths)
        for _ in range(steps):
            edge = {target for path in edge for target in self._imported_by(path)} - reached
            reached |= edge
        return sorted(reached)

    def _imported_by(self, path: str) -> Iterator[str]:
        for line in self.files.get(path, ()):
            for name in line.names or ("",):
                yield from self._files_of(path, line.module, name)

    def holds(self, module: str) -> bool:
        """Whether an absolute import leads into the project, to a file that exists or to one that does not."""
        return module.partition(".")[0] in self._folders or next(self._resolve("", module), None) is not None

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(part for path in self.files for part in _parts(path)[:-1])

    @cached_property
    def asked_for(self) -> frozenset[str]:
        """The files that any other file imports, at its top or inside a function."""
        return frozenset(
            target
            for path, lines in self.files.items()
            for line in lines
            for name in line.names or ("",)
            for target in self._files_of(path, line.module, name)
            if target != path
        )

    @cached_property
    def _whole(self) -> frozenset[str]:
        """The modules that other files import as such: `import jobs`, `from app import jobs`."""
        return frozenset(
            target
            for path, lines in self.files.items()
            for line in lines
            for module in ([f"{line.module}.{name}" for name in line.names] if line.names else [line.module])
            for target in self._resolve(path, module)
        )

    @cached_property
    def _edges(self) -> dict[str, tuple[str, ...]]:
        return {
            path: tuple(
                target
                for line in lines
                if line.at_import
                for name in line.names or ("",)
                for target in self._files_of(path, line.module, name)
            )
            for path, lines in self.files.items()
        }

    @cached_property
    def _taken(self) -> dict[str, set[str]]:
        taken: dict[str, set[str]] = {}
        for path, lines in self.files.items():
            for line in lines:
                for target in self._files_of(path, line.module):
                    taken.setdefault(target, set()).update(line.names)
        return taken

    @cached_property
    def _by_tail(self) -> dict[str, list[tuple[str, ...]]]:
        """Last part of a module's name -> the dotted paths that end with it."""
        tails: dict[str, list[tuple[str, ...]]] = {}
        for path in self.files:
            parts = _parts(path)
            if parts:
                tails.setdefault(parts[-1], []).append(parts)
        return tails

    @cached_property
    def _paths(self) -> dict[tuple[str, ...], str]:
        return {_parts(path): path for path in self.files}

    def _files_of(self, path: str, module: str, name: str = "") -> Iterator[str]:
        """The files that `module` (and `module.name`, should that be a module) may mean, seen from `path`."""
        for dotted in (module, f"{module}.{name}") if name else (module,):
            yield from self._resolve(path, dotted)

    def _resolve(self, path: str, dotted: str) -> Iterator[str]:
        level = len(dotted) - len(dotted.lstrip("."))
        wanted = tuple(part for part in dotted.split(".") if part)
        if level:
            package = tuple(path.split("/")[:-1])
            target = self._paths.get(package[: len(package) - level + 1] + wanted)
            if target is not None:
                yield target
            return
        for parts in self._by_tail.get(wanted[-1], ()) if wanted else ():
            if parts[-len(wanted) :] == wanted:
                yield self._paths[parts]
                yield from self._packages(path, parts, len(parts) - len(wanted))

    def _packages(self, path: str, parts: tuple[str, ...], root: int) -> Iterator[str]:
        """The packages that importing `parts` runs first; those that `path` lies in are running already."""
        for end in range(root + 1, len(parts)):
            if _parts(path)[:end] != parts[:end] and parts[:end] in self._paths:
                yield self._paths[parts[:end]]


def _closure(edges: Mapping[str, Iterable[str]], path: str) -> set[str]:
    """All that can be reached from a file, itself included."""
    seen: set[str] = set()
    stack = [path]
    while stack:
        current = stack.pop()
        if current not in seen:
            seen.add(current)
            stack += edges.get(current, ())
    return seen


def _parts(path: str) -> tuple[str, ...]:
    stem = path.removesuffix(".py").removesuffix("/__init__")
    return tuple(part for part in stem.split("/") if part)
