"""What a codemod is: its words, its examples, and the function that finds its sites.

A codemod yields planned changes and never edits. Its examples are data: the tests run them, `explain` shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ormlift.model import Settings, Site
from ormlift.project.index import ProjectIndex
from ormlift.syntax import Module


@dataclass(frozen=True)
class Context:
    """What a codemod may know beyond the file before it."""

    index: ProjectIndex
    settings: Settings


@dataclass(frozen=True)
class Example:
    """A small file, and what becomes of it."""

    title: str
    before: str
    after: str | None = None  # None: it must stay as it is
    reason: str = ""  # the reason code of the refusal, where it stays and is a site
    effects: tuple[str, ...] = ()  # effect codes of the rewrite; none: safe
    fault: str = ""  # the code of the fault that is found, of a check
    project: Mapping[str, str] = field(default_factory=dict)  # other files: path -> text
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True)
class Codemod:
    """One kind of rewrite or check."""

    id: str  # kebab-case, equal to the file's name
    title: str  # one line: what it rewrites to what
    explanation: str  # some paragraphs for `explain`: what, when, how, and the failure it prevents
    needles: tuple[tuple[bytes, ...], ...]  # parsed only if for some tuple every one of its needles occurs
    reasons: Mapping[str, str]  # reason code -> what it means and the way out
    effects: Mapping[str, str]  # effect code -> what changes and how to judge it
    find: Callable[[Module, Context], Iterator[Site]]
    faults: Mapping[str, str] = field(default_factory=dict)  # of a check: fault code -> the failure and when it comes
    examples: tuple[Example, ...] = ()
    relevant: Callable[[str, ProjectIndex], bool] = lambda _text, _index: True  # whether a text is worth parsing
    rewrites: bool = True  # false: a check that only shows, so that every site of it is a refusal
    looks_elsewhere: bool = False  # true: asks what functions of other files do
    looks_outside: bool = False  # true: asks what other files do to the constants and connections that a file keeps
    inventory: bool = False  # true: lists what is no fault by itself; runs in `audit`, and where it is named
