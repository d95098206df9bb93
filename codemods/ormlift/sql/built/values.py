"""What a variable that SQL is built from holds on one way through the code. Plain data."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

KEY = "ormlift_key"  # stands in a text for the keys of a dict that are not known


@dataclass(frozen=True, eq=False)
class Item:
    """One thing in a list or dict: a piece of SQL, or a parameter."""

    node: ast.expr
    place: ast.stmt  # where it is evaluated
    text: tuple[Part, ...] | None = None  # where it is text
    many: bool = False  # all items of a list that is not known
    key: str = ""  # in a dict
    open: str = ""  # stands for more than one key: the variable of the dict, or what stands for the loop
    said: str = ""  # source text that stands for the node's
    home: str = ""  # in a list that is made of a dict's keys or values: the variable of the dict
    foreign: bool = False  # made by a function that is called
    loop: str = ""  # added in the rounds of a loop that stays: what stands for the loop
    keys: tuple[str, ...] | None = None  # of an open one in a loop: those that the code says
    source: str = ""  # of an open one in a loop: the dict whose keys it goes through


@dataclass(frozen=True)
class Part:
    """A stretch of SQL text."""

    text: str
    item: Item | None = None  # the item of a list that it is of
    region: str = ""  # the variable of that list
    joint: bool = False  # what joins two items
    many: ast.expr | None = None  # a placeholder for each item of this list
    chunk: Item | None = None  # the expression whose value it is of, in a variable
    foreign: ast.expr | None = None  # what has been put there by a function that is called
    held: str = ""  # the innermost variable that it has come through
    fixed: bool = False  # one of several texts that the code says where it cannot be changed: of a loop, a mapping


Text = tuple[Part, ...]


@dataclass(frozen=True)
class Items:
    """A list."""

    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Keyed:
    """A dict with keys that the code says."""

    items: dict[str, Item] = field(default_factory=dict)


@dataclass(frozen=True)
class Words:
    """A text in a variable."""

    parts: Text = ()

    @property
    def value(self) -> str:
        """The text as one string."""
        return "".join(part.text for part in self.parts)


Value = Items | Keyed | Words


@dataclass(frozen=True)
class Several:
    """What one statement leaves in several variables."""

    values: dict[str, Value]


@dataclass(frozen=True)
class Called:
    """What a call of a function leaves that builds."""

    returned: tuple[Value | None, ...] = ()  # one, or those of a tuple
    shared: tuple[str, ...] = ()  # for each of them: the variable of the caller whose list or dict it is
    changed: dict[str, Value | None] = field(default_factory=dict)  # what is in the caller's variables by now


State = dict[str, Value | None]
