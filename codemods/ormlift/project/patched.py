"""What tests put something else in the place of: `patch("app.jobs.get_session")`, `jobs.get_session = Mock()`.

Found by pattern, since a project has as many tests as other files. May find more than there is, hardly fewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

UNKNOWN = "?"  # a holder that can't be told
ANY = "*"  # any name of the holder
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<module>[.\w]+)[ \t]+import[ \t]*(?P<names>\([^)]*\)|[^\n;]+)"
    r"|import[ \t]+(?P<plain>[^\n;(]+))",
    re.MULTILINE,
)
_NAMED = re.compile(
    r"\b(?:patch|setattr|delattr)\(\s*(?:target\s*=\s*)?(?P<form>[rRbBuUfF]*)(?P<quote>[\"'])"
    r"(?P<target>[^\"'\n]+)(?P=quote)(?P<new>\s*,\s*(?:new\s*=\s*)?(?:lambda\b|[A-Za-z_][\w.]*(?=[\s,)])))?"
)
_HELD = re.compile(
    r"\b(?:setattr|delattr|object)\(\s*(?:target\s*=\s*)?(?P<held>[A-Za-z_][\w.]*(?:[\[(][^,\n]{0,60}?)?)\s*,\s*"
    r"(?:(?:attribute|name)\s*=\s*)?[\"'](?P<name>\w+)[\"']"
    r"(?P<new>\s*,\s*(?:new\s*=\s*)?(?:lambda\b|[A-Za-z_][\w.]*(?=[\s,)])))?"
)
_MULTIPLE = re.compile(r"\bmultiple\(\s*(?:[\"'](?P<target>[\w.]+)[\"']|(?P<held>[\w.]+))\s*,(?P<rest>[^)]*)")
_HANDED = re.compile(
    r"\b(?!(?:get|has|set|del)attr\b|isinstance\b)\w+\(\s*(?P<held>[A-Za-z_][\w.]*)(?:\s*,\s*|\s*\)\.\w+\(\s*)"
    r"[\"'](?P<name>\w+)[\"']"
)
_COMPUTED = re.compile(r"\bpatch\(\s*[A-Za-z_][\w.]*\s*[,)+%]|\bimport\b[^\n]*\bpatch as \w")
_OPEN = re.compile(r"[\"'](?P<sum>[\w.]+)\.[\"']\s*[+%]|\bf[\"'](?P<form>[\w.]+)\.\{")
_SPACE = re.compile(r"(?P<held>[A-Za-z_][\w.]*)\.(?:__dict__|__globals__)\b|\bvars\((?P<given>[A-Za-z_][\w.]*)\)")
_SPACE_TEXT = re.compile(r"[\"'](?P<held>[\w.]+)\.(?:__dict__|__globals__)[\"']")
_MODULE = re.compile(
    r"\bsys\.modules\[[\"'](?P<holder>[\w.]+)[\"']\]\.(?P<name>\w+)[ \t]*=(?!=)"
    r"|\bsys\.modules\[[\"'](?P<held>[\w.]+)[\"']\]\s*,\s*[\"'](?P<attr>\w+)[\"']"
)
_TEXT = re.compile(r"(?P<form>[fF]?)[\"'](?P<target>[^\"'\n]*\.\w+)[\"']")
_ASSIGNED = re.compile(r"^[ \t]*(?P<held>[A-Za-z_][\w.]*)\.(?P<name>\w+)[ \t]*(?::[^=\n]+)?=(?!=)", re.MULTILINE)
_GIVEN = re.compile(r"[ \t]*(?::[^=\n]+)?=(?!=)[ \t]*([^\n]+)")
_MOCKS = re.compile(r"(?:\w*Mock|create_autospec|SimpleNamespace|type)$")
_CALLED = re.compile(r"(?P<name>[A-Za-z_][\w.]*)\(")
_SOUNDS_FAKE = re.compile(r"(?:^|_)(?:mock|fake|stub|dummy)|(?:mock|fake|stub)(?:$|_)", re.IGNORECASE)
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+")


@dataclass(frozen=True, slots=True)
class Patch:
    """One name that is given another value."""

    holder: str  # what has the name: a dotted path, as imports lead to it; UNKNOWN where that can't be told
    name: str
    line: int
    mocked: bool = True  # what takes its place is a mock, or can't be told
    made: str = ""  # the class that the test makes the holder of, so that it is no object of a module


@dataclass(frozen=True)
class _Holder:
    """What an expression before the dot means."""

    path: str = UNKNOWN
    made: str = ""
    fake: bool = False  # a mock, or named like one


@dataclass(frozen=True)
class _Names:
    """The names of a test file."""

    text: str
    imports: Mapping[str, str]  # what the names lead to that imports bind
    _known: dict[str, _Holder] = field(default_factory=dict)

    def holder(self, held: str) -> _Holder:
        """What has the attribute: by the imports, or by the one kind of value that the file gives it."""
        if held not in self._known:
            self._known[held] = self._holder(held)
        return self._known[held]

    def _holder(self, held: str) -> _Holder:
        root = held.partition(".")[0]
        if not re.fullmatch(r"[\w.]+", held):
            return _Holder()
        if root in self.imports:
            return _Holder(self.imports[root] + held.removeprefix(root))
        if any(_SOUNDS_FAKE.search(part) for part in held.split(".")):
            return _Holder(fake=True)
        parts = held.split(".")
        for end in range(len(parts), 0, -1):
            values = self._values(".".join(parts[:end]))
            if values:
                return self._valued(values, ".".join(parts[end:]))
        bound = re.search(rf"\bdef [^)]*\b{root}\b|\b(?:as|for) {root}\b", self.text)
        return _Holder() if bound or root in ("self", "cls") else _Holder(held)

    def _values(self, name: str) -> list[str]:
        text, found, start = self.text, list[str](), self.text.find(name)
        while start >= 0:  # a word is found ten times as fast as a pattern
            end, before = start + 1, text[start - 1 : start]
            match = _GIVEN.match(text, start + len(name))
            if match is not None and not (before.isalnum() or before in ("_", ".")):
                found.append(match[1].partition("\\n")[0])  # code may stand in a string
                end = match.end()
            start = text.find(name, end)
        return found

    def _valued(self, values: list[str], rest: str) -> _Holder:
        names = {value.partition("#")[0].strip() for value in values}
        aliases = {
            self.imports[n.partition(".")[0]] + n[n.find(".") :] if "." in n else self.imports[n]
            for n in names
            if re.fullmatch(r"[\w.]+", n) and n.partition(".")[0] in self.imports
        }
        if len(names) == len(aliases) == 1:
            return _Holder(f"{aliases.pop()}.{rest}" if rest else aliases.pop())
        calls = [_CALLED.match(name) for name in names]
        made = {call["name"] for call in calls if call is not None}
        if made and all(calls) and all(_MOCKS.search(name) for name in made):
            return _Holder(fake=True)
        if len(made) == len(names) == 1 and not rest and (root := min(made).partition(".")[0]) in self.imports:
            name = min(made).rpartition(".")[2]
            return _Holder(made=name if name[:1].isupper() and root else "")
        return _Holder()


def patches(text: str, *, is_test: bool) -> Iterator[Patch]:
    """The patches of a file; attributes that are simply assigned count in tests alone."""
    if "patch" not in text and not is_test:
        return
    names = _Names(text, bound_by_imports(text))
    yield from _by_call(text, names)
    if is_test:
        yield from _by_assignment(text, names)
        yield from _by_other_ways(text, names)


def _by_call(text: str, names: _Names) -> Iterator[Patch]:
    for match in _found(_NAMED, text, "patch(", "setattr(", "delattr("):
        mocked = _is_mocked(match["new"])
        yield from _of_text(match["target"], match["form"], _line(text, match.start()), mocked=mocked)
    for match in _found(_HELD, text, "setattr(", "delattr(", "object("):
        mocked = _is_mocked(match["new"])
        yield from _held(names, match["held"], match["name"], _line(text, match.start()), mocked=mocked)
    for match in _found(_MULTIPLE, text, "multiple("):
        for name in re.findall(r"(\w+)\s*=", match["rest"]):
            line = _line(text, match.start())
            if match["target"]:
                yield Patch(match["target"], name, line)
            else:
                yield from _held(names, match["held"], name, line)
    if computed := next(_found(_COMPUTED, text, "patch(", "patch as "), None):
        for match in _TEXT.finditer(text):
            yield from _of_text(match["target"], match["form"], _line(text, computed.start()))


def _found(pattern: re.Pattern[str], text: str, *words: str) -> Iterator[re.Match[str]]:
    """The matches of a pattern, which is not looked for where none of its words is."""
    return pattern.finditer(text) if any(word in text for word in words) else iter(())


def _is_mocked(new: str | None) -> bool:
    """Whether what is put in the place of a name may be a mock: nothing is said of it, or it is named like one."""
    return new is None or _SOUNDS_FAKE.search(new.rpartition(",")[2].rpartition("=")[2].strip()) is not None


def _held(names: _Names, held: str, name: str, line: int, *, mocked: bool = True) -> Iterator[Patch]:
    holder = names.holder(held)
    if not holder.fake:
        yield Patch(holder.path, name, line, mocked, holder.made)


def _of_text(target: str, form: str, line: int, *, mocked: bool = True) -> Iterator[Patch]:
    """The target that a string names; what an f-string or a concatenation leaves open is unknown."""
    holder, _, name = target.rpartition(".")
    if not name.isidentifier():
        return
    known = "f" not in form.lower() and _DOTTED.fullmatch(target)
    yield Patch(holder if known else UNKNOWN, name, line, mocked)


def _by_assignment(text: str, names: _Names) -> Iterator[Patch]:
    for match in _ASSIGNED.finditer(text):
        if match["held"] not in ("self", "cls"):
            yield from _held(names, match["held"], match["name"], _line(text, match.start("held")))


def _by_other_ways(text: str, names: _Names) -> Iterator[Patch]:
    """Through the dict of a module, `sys.modules`, or a helper of the tests."""
    for match in _found(_MODULE, text, "sys.modules["):
        holder, name = match["holder"] or match["held"], match["name"] or match["attr"]
        yield Patch(holder, name, _line(text, match.start()))
    for match in _found(_SPACE, text, "__dict__", "__globals__", "vars("):
        yield from _of_import(names, match["held"] or match["given"], ANY, _line(text, match.start()))
    for match in _found(_SPACE_TEXT, text, "__dict__", "__globals__"):
        yield Patch(match["held"], ANY, _line(text, match.start()))
    for match in _found(_OPEN, text, "patch", "setattr"):
        yield Patch(match["sum"] or match["form"], ANY, _line(text, match.start()))
    for match in _HANDED.finditer(text):
        yield from _of_import(names, match["held"], match["name"], _line(text, match.start()))


def _of_import(names: _Names, held: str, name: str, line: int) -> Iterator[Patch]:
    """What is done to something that an import of the file leads to."""
    if held.partition(".")[0] in names.imports:
        yield from _held(names, held, name, line)


def bound_by_imports(text: str) -> dict[str, str]:
    """By the names that a file's imports bind, what they lead to."""
    bound: dict[str, str] = {}
    for match in _IMPORT.finditer(text):
        module = match["module"] or ""
        for name, alias in _listed(match["names"] or match["plain"]):
            if not module:
                bound[alias or name.partition(".")[0]] = name if alias else name.partition(".")[0]
            else:
                bound[alias or name] = f"{module}{'' if module.endswith('.') else '.'}{name}"
    return bound


def _listed(names: str) -> Iterator[tuple[str, str]]:
    for part in re.sub(r"#[^\n]*", "", names).replace("\\", " ").strip("()\n ").split(","):
        words = part.split()
        if words:
            yield words[0], words[2] if len(words) == 3 else ""


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
