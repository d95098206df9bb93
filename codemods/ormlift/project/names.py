"""Names across files: which file a module is, which definition a name means, and how other files import it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from ormlift.project.facts import FileFacts

HOPS = 8  # re-exports are followed this far


@dataclass(frozen=True, slots=True)
class Place:
    """Where a dotted name leads: into a file of the project, or out of it."""

    path: str  # empty: outside of the project
    name: str  # the rest of the name in that file; outside, the whole dotted name


def is_test_path(path: str) -> bool:
    """Whether a file belongs to the tests."""
    *folders, name = path.split("/")
    if any(f in ("tests", "test", "testing", "e2e") for f in folders):
        return True
    return name.startswith("test_") or name.endswith(("_test.py", "_tests.py")) or name in ("conftest.py", "tests.py")


def module_parts(path: str) -> tuple[str, ...]:
    """The parts of a file's dotted name, counted from the project's root."""
    parts = PurePosixPath(path).with_suffix("").parts
    return parts[:-1] if parts and parts[-1] == "__init__" else parts


@dataclass(frozen=True)
class Names:
    """The files of the project by name."""

    files: Mapping[str, FileFacts]

    def with_file(self, facts: FileFacts) -> Names:
        """The same names, but for one file that now says something else; what hangs on paths alone is kept."""
        changed = Names({**self.files, facts.path: facts})
        for name in ("_by_last", "_folders", "_votes", "roots"):
            changed.__dict__[name] = getattr(self, name)
        return changed

    @cached_property
    def _by_last(self) -> dict[str, list[tuple[tuple[str, ...], str]]]:
        found: dict[str, list[tuple[tuple[str, ...], str]]] = defaultdict(list)
        for path in sorted(self.files):
            if parts := module_parts(path):
                found[parts[-1]].append((parts, path))
        return found

    @cached_property
    def _folders(self) -> dict[str, list[tuple[str, ...]]]:
        found: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        for path in self.files:
            parts = module_parts(path)
            for end in range(1, len(parts)):
                found[parts[end - 1]].add(parts[:end])
        return {name: sorted(folders) for name, folders in found.items()}

    def locate(self, module: str, importer: str) -> str | None:
        """The file that `module` names when the file `importer` imports it, or None outside of the project."""
        if module.startswith("."):
            return self._relative(module, importer)
        parts = tuple(module.split("."))
        fits = [(p, path) for p, path in self._by_last.get(parts[-1], []) if p[-len(parts) :] == parts]
        fits = [f for f in fits if self._importable(f[0][: -len(parts)], importer)]
        return max(fits, key=lambda f: (_shared(f[1], importer), -len(f[0]), f[1]))[1] if fits else None

    def _importable(self, root: tuple[str, ...], importer: str) -> bool:
        """Whether a folder may be on the importer's path: one around it, or one that other files import from."""
        around = PurePosixPath(importer).parts[: len(root)] == root
        return around or root in self.roots or "/".join(root) in ("src", "lib")

    def _relative(self, module: str, importer: str) -> str | None:
        level = len(module) - len(module.lstrip("."))
        folders = PurePosixPath(importer).parts[:-1]
        if level - 1 > len(folders):
            return None
        base = folders[: len(folders) - (level - 1)]
        rest = tuple(p for p in module[level:].split(".") if p)
        stem = "/".join((*base, *rest))
        candidates = (f"{stem}.py", f"{stem}/__init__.py" if stem else "__init__.py")
        return next((c for c in candidates if c in self.files), None)

    @cached_property
    def _votes(self) -> Counter[tuple[tuple[str, ...], str]]:
        """How often a module below (root, first part) is imported by the project's files."""
        votes: Counter[tuple[tuple[str, ...], str]] = Counter()
        for facts in self.files.values():
            for module in facts.imported:
                votes.update({(root, module.split(".")[0]) for root in self._roots_of(tuple(module.split(".")))})
        return votes

    def _roots_of(self, parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """The folders below which a module of that name stands."""
        count = len(parts)
        for found, _ in self._by_last.get(parts[-1], []):
            if found[-count:] == parts:
                yield found[:-count]
        for folder in self._folders.get(parts[-1], []):
            if folder[-count:] == parts:
                yield folder[:-count]

    @cached_property
    def roots(self) -> frozenset[tuple[str, ...]]:
        """The folders from which the project's files import one another."""
        return frozenset(root for root, _ in self._votes)

    def module(self, path: str) -> str:
        """The dotted name by which other files of the project import the file."""
        return ".".join(self._named(path))

    def importable(self, path: str) -> bool:
        """Whether the folders of that name can be written in an import: `app.old` and `app-old` cannot."""
        return all(folder.isidentifier() for folder in self._named(path)[:-1])

    def _named(self, path: str) -> tuple[str, ...]:
        parts = module_parts(path)
        candidates = [(self._votes[parts[:n], parts[n]], -n) for n in range(len(parts))]
        votes, start = max(candidates, default=(0, 0))
        if votes:
            return parts[-start:]
        known = [n for n in range(1, len(parts)) if parts[:n] in self.roots]
        if known:
            return parts[known[-1] :]
        return parts[1:] if parts[:1] in (("src",), ("lib",)) and len(parts) > 1 else parts

    def place(self, path: str, name: str, imports: Mapping[str, str] | None = None, hops: int = HOPS) -> Place:
        """What a dotted name in a file means, imports and re-exports followed. `imports` are local ones, seen first."""
        facts = self.files.get(path)
        head, _, rest = name.partition(".")
        bound = imports.get(head) if imports else None
        if bound is None and facts is not None and head not in self._defined(path):
            bound = self._imports(path).get(head)
        if bound is None:
            return self._from_stars(path, name, hops) or Place(path, name)
        target = f"{bound}.{rest}" if rest else bound
        return self._import_target(target, path, hops)

    def _import_target(self, target: str, importer: str, hops: int) -> Place:
        dots = len(target) - len(target.lstrip("."))
        parts = target[dots:].split(".")
        for end in range(len(parts), 0 if not dots else -1, -1):
            module = "." * dots + ".".join(parts[:end])
            path = self.locate(module, importer) if module else None
            if path is None or path == importer:
                continue
            rest = ".".join(parts[end:])
            if not rest or hops == 0:
                return Place(path, rest)
            return self.place(path, rest, None, hops - 1)
        return self._reexported(target, importer) or Place("", target)

    def _reexported(self, target: str, importer: str) -> Place | None:
        """A name imported from a package whose `__init__` is not known: the one definition of that name inside it."""
        package, _, name = target.rpartition(".")
        folder = self._package(package, importer)
        if not folder or not name:
            return None
        inside = [p for p in self._definers.get(name, []) if p.startswith(f"{folder}/")]
        return Place(inside[0], name) if len(inside) == 1 else None

    def _package(self, package: str, importer: str) -> str:
        if package.startswith("."):
            level = len(package) - len(package.lstrip("."))
            folders = PurePosixPath(importer).parts[:-1]
            base = folders[: len(folders) - (level - 1)]
            return "/".join((*base, *(p for p in package[level:].split(".") if p)))
        parts = tuple(package.split(".")) if package else ()
        fits = [f for f in self._folders.get(parts[-1], []) if f[-len(parts) :] == parts] if parts else []
        best = max(((_shared("/".join(f), importer), -len(f), f) for f in fits), default=None)
        return "/".join(best[2]) if best is not None else ""

    @cached_property
    def _definers(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self.files):
            for name in self._defined(path):
                found[name].append(path)
        return found

    def _from_stars(self, path: str, name: str, hops: int) -> Place | None:
        facts = self.files.get(path)
        head = name.partition(".")[0]
        if facts is None or hops == 0 or head in self._defined(path):
            return None
        for module in facts.stars:
            target = self.locate(module, path)
            if target is not None and target != path:
                place = self.place(target, name, None, hops - 1)
                if place.path and place.name.partition(".")[0] in self._defined(place.path):
                    return place
        return None

    @cached_property
    def _memo(self) -> dict[str, frozenset[str]]:
        return {}

    def _defined(self, path: str) -> frozenset[str]:
        """The names that a file defines at module level, as far as its facts hold them."""
        if path not in self._memo:
            facts = self.files[path]
            names = {c.name for c in facts.classes} | {f.name for f in facts.functions if not f.owner}
            names |= (
                {t.variable for t in facts.tables}
                | {t[0] for t in facts.types}
                | {b.name for b in facts.bindings if not b.owner}
                | {h.name for h in facts.helpers}
            )
            self._memo[path] = frozenset(names)
        return self._memo[path]

    @cached_property
    def _import_memo(self) -> dict[str, dict[str, str]]:
        return {}

    def _imports(self, path: str) -> dict[str, str]:
        if path not in self._import_memo:
            self._import_memo[path] = dict(self.files[path].imports)
        return self._import_memo[path]


def _shared(left: str, right: str) -> int:
    """How many leading folders two paths share."""
    pairs = zip(left.split("/"), right.split("/"), strict=False)
    count = 0
    for a, b in pairs:
        if a != b:
            break
        count += 1
    return count
