"""Parameters that are names as far as the file shows: by their default, and by what calls in the file pass."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import Effect
from ormlift.sql.life.model import Life
from ormlift.syntax import FunctionNode, dotted


def assumed(name: ast.Name, life: Life) -> tuple[str, ...] | None:
    """The names that a parameter with a default takes; None where something else is passed, or may be."""
    definitions = life.flow.of(name)
    if not definitions or not all(isinstance(d, ast.arg) for d in definitions) or name.id in life.flow.captured:
        return None
    found = list(given_to(name.id, life))
    texts = [node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    if len(texts) < len(found) or name.id not in _defaults(life) or not all(text.isidentifier() for text in texts):
        return None
    life.assumed[name.id] = tuple(dict.fromkeys(texts))
    return life.assumed[name.id]


def given_to(name: str, life: Life) -> Iterator[ast.expr]:
    """What a parameter of the function takes: its default, and what calls in the file pass."""
    host = life.host
    if not isinstance(host, FunctionNode):
        return
    defaults = _defaults(life)
    if name in defaults:
        yield defaults[name]
    names = [a.arg for a in (*host.args.posonlyargs, *host.args.args)]
    place = names.index(name) - (names[:1] in (["self"], ["cls"])) if name in names else len(names)
    for call in life.module.calls:
        if dotted(call.func).rpartition(".")[2] == host.name:
            yield from (k.value for k in call.keywords if k.arg == name or k.arg is None)
            yield from (a for n, a in enumerate(call.args) if n == place or isinstance(a, ast.Starred))


def _defaults(life: Life) -> dict[str, ast.expr]:
    assert isinstance(life.host, FunctionNode)
    arguments = life.host.args
    listed = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    found = dict(zip(listed[::-1], arguments.defaults[::-1], strict=False))
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return found | {a.arg: default for a, default in named if default is not None}


def assumed_effects(life: Life, line: int) -> Iterator[Effect]:
    """What is assumed of them."""
    for name, texts in sorted(life.assumed.items()):
        words = " or ".join(f'"{text}"' for text in texts)
        message = (
            f"{name} is {words} as far as this file shows: what is no attribute of the model raises AttributeError"
        )
        yield Effect("open-name", line, f"{message} now, and no SQL in it is executed")
