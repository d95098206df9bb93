"""A dict whose keys are not known, set or inserted as a whole: each column of the model stands for a key."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ormlift.schema import MappedClass
from ormlift.sql.built.built import Built, value_of
from ormlift.sql.built.pieces import Piece, put_together
from ormlift.sql.built.values import Item
from ormlift.sql.columntypes import kind_of
from ormlift.sql.life.refuse import Refused
from ormlift.sql.statement import MARK, Finding, Kind

if TYPE_CHECKING:
    from ormlift.sql.built.built import Variant
    from ormlift.sql.built.express import Expressed
    from ormlift.sql.life.statements import Prepared

MOST = 60  # columns, each of which has a certificate of its own


def keys_of(found: Expressed) -> list[str]:
    """The columns that a key may name. Raises Refused where one is called otherwise on the model."""
    own = found.own
    table = own.statement.tables[0][1].lower()
    said = _named(own)
    columns = [column for column in own.models[table].columns if column.name.lower() not in said]
    line = found.built.call.lineno
    other = next((c for c in columns if c.attr != c.name), None)
    if other is not None:
        message = f"a key of line {line} may be {other.name}, which the model calls {other.attr}"
        raise Refused("dynamic-sql", f"{message}; name the columns")
    odd = next((c for c in columns if kind_of(c, own.models) in ("json", "unknown")), None)
    if odd is not None:
        message = f"a key of line {line} may be {odd.name}, whose type would make another value of what is given"
        raise Refused("dynamic-sql", f"{message}; name the columns")
    if not columns or len(columns) > MOST or len(found.built.open) > 1:
        raise Refused("dynamic-sql", f"the columns that line {line} sets cannot be told; name them")
    return [column.name for column in columns]


def _named(own: Prepared) -> set[str]:
    """The columns that the statement names itself."""
    tree = own.statement.tree
    items = tree.expressions if own.statement.kind is Kind.UPDATE else tree.this.expressions
    names = (item.this.name if own.statement.kind is Kind.UPDATE else item.name for item in items)
    return {name.lower() for name in names if not name.startswith(MARK)}


def _ways(built: Built, keys: Sequence[str]) -> list[tuple[list[Piece], list[Piece], tuple[str, ...]]]:
    """Each way as it is, with keys in it, and those keys: all of them, and on the first way each alone."""
    found: list[tuple[list[Piece], list[Piece], tuple[str, ...]]] = []
    alone = [(key,) for key in keys]
    for way in built.ways:
        opened = any(p.part.item is not None and p.part.item.open for p in way)
        if opened:
            found += [(way, built.with_keys(way, key), key) for key in alone]
            alone = []
        found.append((way, built.with_keys(way, keys), tuple(keys)))
    return found


def open_up(found: Expressed, make: Callable[[Variant], Prepared], check: Callable[..., None]) -> None:
    """Write the statement of each way with each key. Raises Refused."""
    built, keys = found.built, keys_of(found)
    ((node, (_, item)),) = built.open.items()
    findings: dict[str, Finding] = {}
    for way, pieces, said in _ways(built, keys):
        whole = make(put_together(pieces, built.module, built.call.lineno))
        texts: dict[ast.expr, tuple[str, ...]] = {node: tuple(_text(whole, item, key) for key in said)}
        _check(partial(check, way, whole, {**found.texts, **texts}), found, said)
        assert whole.written is not None
        findings |= {effect.message: effect for effect in whole.written.effects}
        assert found.own.written is not None
        whole.written = replace(whole.written, effects=(), imports=found.own.written.imports)
        found.whole.append(whole)
    first = found.whole[0]
    assert first.written is not None
    told = [effect for effect in findings.values() if effect.code != "bind-type"]
    first.written = replace(first.written, effects=(*told, _effect(built, item.open, found.own)))


def _text(whole: Prepared, item: Item, key: str) -> str:
    """The value of a key; one that is written without its column's type is of that type here, as the effect says."""
    plain = f"{key}={value_of(item, key)}"
    loose = f"{key}=literal({value_of(item, key)})"
    return loose if whole.written is not None and loose in whole.written.text else plain


def _check(check: Callable[[], None], found: Expressed, keys: tuple[str, ...]) -> None:
    try:
        check()
    except Refused:
        line, key = (
            found.built.call.lineno,
            f"may be {keys[0]}" if len(keys) == 1 else "is written otherwise beside others",
        )
        message = f"a key of line {line} {key}, which takes another value from the model than from the SQL"
        raise Refused("dynamic-sql", f"{message}; name the columns") from None


def _effect(built: Built, name: str, own: Prepared) -> Finding:
    model = own.models[own.statement.tables[0][1].lower()]
    message = (
        f"the keys of {name} are not known on line {built.call.lineno}: one that is no attribute of {model.name}, "
    )
    message += "letter for letter, or is set beside it, raises another error now, or one where the SQL took it; "
    message += f"no key at all {_emptied(own, model)}; values are bound by the columns' types"
    return Finding("open-keys", message)


def _emptied(own: Prepared, model: MappedClass) -> str:
    """What the statement does without any key."""
    if own.statement.kind is Kind.INSERT:
        return "inserts a row of defaults, where the SQL may have raised"
    if any(column.onupdate for column in model.columns):
        return "sets what has `onupdate=`, where the SQL may have raised"
    return "raises SQLAlchemy's error, where the driver's came" if not _named(own) else "changes the others, as before"
