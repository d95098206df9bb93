"""A dict whose keys are not known, set or inserted as a whole: each column of the model stands for a key."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ormlift.schema import MappedClass
from ormlift.sql.built.built import Built, value_of
from ormlift.sql.built.pieces import Piece, put_together
from ormlift.sql.built.regions import Is, Region
from ormlift.sql.built.values import KEY, Item
from ormlift.sql.columntypes import kind_of
from ormlift.sql.life.refuse import Refused
from ormlift.sql.statement import MARK, Finding, Kind
from ormlift.sql.textual.grown import Form, form_of

if TYPE_CHECKING:
    from ormlift.sql.built.built import Variant
    from ormlift.sql.built.express import Expressed
    from ormlift.sql.life.statements import Prepared

_LOOSE = re.compile(r"=literal\((.*)\)$", re.DOTALL)
MOST = 60  # columns, each of which has a certificate of its own


def _keys_of(found: Expressed, item: Item) -> tuple[str, ...]:
    """The columns that a key may name. Raises Refused where one is called otherwise on the model."""
    own = found.own
    table = own.statement.tables[0][1].lower()
    known, line = own.models[table].columns, found.built.call.lineno
    said = _named(own)
    said |= {text.partition("=")[0].lower() for texts in found.texts.values() for text in texts}
    said |= {key for way in found.built.ways for p in way for key in p.keys if isinstance(key, str)} - {KEY}
    columns = [c for c in known if (c.name.lower() not in said if item.keys is None else c.name in item.keys)]
    other = next((c for c in columns if c.attr != c.name), None)
    if other is not None:
        message = f"a key of line {line} may be {other.name}, which the model calls {other.attr}"
        raise Refused("dynamic-sql", f"{message}; name the columns")
    odd = next((c for c in columns if kind_of(c, own.models) in ("json", "unknown")), None)
    if odd is not None:
        message = f"a key of line {line} may be {odd.name}, whose type would make another value of what is given"
        raise Refused("dynamic-sql", f"{message}; name the columns")
    lacking = set(item.keys or ()) - {c.name for c in columns}
    if lacking:
        message = f"a key of line {line} may be {min(lacking)}, which {own.models[table].name} has no column for"
        raise Refused("dynamic-sql", f"{message}; name the columns")
    if not columns or len(columns) > MOST or (item.keys is None and not item.source and item.loop):
        raise Refused("dynamic-sql", f"the columns that line {line} sets cannot be told; name them")
    return tuple(column.name for column in columns)


def _named(own: Prepared) -> set[str]:
    """The columns that the statement sets by name itself."""
    if own.statement.kind not in (Kind.UPDATE, Kind.INSERT):
        return set()
    tree = own.statement.tree
    items = tree.expressions if own.statement.kind is Kind.UPDATE else tree.this.expressions
    names = (item.this.name if own.statement.kind is Kind.UPDATE else item.name for item in items)
    return {name.lower() for name in names if not name.startswith(MARK)}


Keys = Mapping[ast.expr, tuple[str, ...]]


def _ways(built: Built, keys: Keys) -> Iterator[tuple[list[Piece], list[Piece], Keys]]:
    """Each way as it is, with keys in it, and those keys: all of them, and once each alone."""
    done: set[ast.expr] = set()
    for way in built.ways:
        nodes = list(dict.fromkeys(p.part.item.node for p in way if p.part.item is not None and p.part.item.open))
        here = {node: keys[node] for node in nodes}
        for node in nodes:
            for key in keys[node] if node not in done else ():
                alone = {n: (key,) if n is node else tuple(k for k in keys[n] if k != key) for n in nodes}
                yield way, built.with_keys(way, alone), alone
        done |= set(nodes)
        yield way, built.with_keys(way, here), here


def open_up(found: Expressed, make: Callable[[Variant], Prepared], check: Callable[..., None]) -> None:
    """Write the statement of each way with each key. Raises Refused."""
    built = found.built
    opened = {node: (region, item) for node, (region, item) in built.open.items()}
    keys = {node: _keys_of(found, item) for node, (_, item) in opened.items()}
    findings: dict[str, Finding] = {}
    for way, pieces, said in _ways(built, keys):
        whole = make(put_together(pieces, built.module, built.call.lineno))
        texts = {node: _texts(whole, *opened[node], said[node]) for node in said}
        _check(partial(check, way, whole, {**found.texts, **texts}), found, said)
        _settle(found, {node: texts[node] for node in texts if opened[node][1].loop})
        loose = [t for node in texts if opened[node][1].keys is not None for t in texts[node] if _LOOSE.search(t)]
        findings |= {f.message: f for f in (_converted(built, text) for text in loose)}
        assert whole.written is not None
        findings |= {effect.message: effect for effect in whole.written.effects}
        whole.written = replace(whole.written, effects=())
        found.whole.append(whole)
    _keep_imports(found)
    first = found.whole[0]
    assert first.written is not None
    unknown = [item for _, item in opened.values() if item.keys is None]
    told = [effect for effect in findings.values() if effect.code != "bind-type" or not unknown]
    told += [_effect(built, item, found.own) for _, item in opened.values() if _is_told(item, found.own)]
    first.written = replace(first.written, effects=tuple(dict.fromkeys(told)))


def _keep_imports(found: Expressed) -> None:
    """Of what the ways need, what is written in the end: in the code's statement, or where its lists are filled."""
    assert found.own.written is not None
    own = found.own.written.imports
    said = {
        n.id
        for texts in found.texts.values()
        for text in texts
        for n in ast.walk(_parsed(text))
        if isinstance(n, ast.Name)
    }
    for whole in found.whole:
        assert whole.written is not None
        needs = tuple(need for need in whole.written.imports if need in own or need.name in said)
        whole.written = replace(whole.written, imports=needs)


def _parsed(text: str) -> ast.AST:
    """A condition, or a name with its value."""
    return ast.parse(f"_({text})", mode="eval")


def _settle(found: Expressed, texts: Mapping[ast.expr, tuple[str, ...]]) -> None:
    """What a round adds is the same for each key but for the key. Raises Refused.

    A value that is written without its column's type is of that type from now on, as an effect says.
    """
    for node, said in texts.items():
        values = {_LOOSE.sub(r"=\1", text).partition("=")[2] for text in said}
        known = found.texts.get(node)
        values |= {known[0].partition("=")[2]} if known is not None else set()
        if len(values) > 1:
            line = found.built.call.lineno
            message = f"a key of line {line} takes another value from the model than others"
            raise Refused("dynamic-sql", f"{message}; name the columns")
        for value in values:
            found.texts[node] = (f"{KEY}={value}",)


def _converted(built: Built, text: str) -> Finding:
    name, line = text.partition("=")[0], built.call.lineno
    message = f"a key of line {line} may be {name}, whose type converts what is bound: a value of another Python type"
    return Finding("bind-type", f"{message} raises, or is stored anew.")


def arguments(region: Region, form: Form) -> tuple[str, ...]:
    """What stands in the place of a region, and beside it."""
    if region.what is Is.CONDITIONS:
        return form.where
    method = "values" if region.named else "order_by"
    return next((arguments for name, arguments in form.clauses if name == method), ())


def _texts(whole: Prepared, region: Region, item: Item, keys: tuple[str, ...]) -> tuple[str, ...]:
    """The value of each key; one that is written without its column's type is of that type, as the effect says."""
    if item.loop:
        if not region.named:
            raise Refused(
                "dynamic-sql", "a key that a loop goes through names a column of a condition; name the columns"
            )
        said = arguments(region, form_of(whole))
        return tuple(text for key in keys for text in said if text.startswith(f"{key}="))
    return tuple(_text(whole, item, key) for key in keys)


def _text(whole: Prepared, item: Item, key: str) -> str:
    plain = f"{key}={value_of(item, key)}"
    loose = f"{key}=literal({value_of(item, key)})"
    return loose if whole.written is not None and loose in whole.written.text else plain


def _check(check: Callable[[], None], found: Expressed, said: Keys) -> None:
    try:
        check()
    except Refused:
        keys = next((keys for keys in said.values() if len(keys) == 1), ())
        line, key = (
            found.built.call.lineno,
            f"may be {keys[0]}" if len(keys) == 1 else "is written otherwise beside others",
        )
        message = f"a key of line {line} {key}, which takes another value from the model than from the SQL"
        raise Refused("dynamic-sql", f"{message}; name the columns") from None


def _is_told(item: Item, own: Prepared) -> bool:
    """Whether keys are not known, or no key at all does something."""
    model = own.models[own.statement.tables[0][1].lower()]
    does = own.statement.kind is Kind.INSERT or any(column.onupdate for column in model.columns)
    return item.keys is None or (does and not item.loop)


def _effect(built: Built, item: Item, own: Prepared) -> Finding:
    name, line = item.source or item.open, built.call.lineno
    model = own.models[own.statement.tables[0][1].lower()]
    if item.keys is not None:
        return Finding("open-keys", f"{name} without any key {_emptied(own, model)}, on line {line}")
    message = f"the keys of {name} are not known on line {line}: one that is no attribute of {model.name}, letter for "
    message += "letter, or is set beside it or a parameter of its own, raises another error now, or none where another "
    message += "did, or one where the SQL took it; "
    message += f"no key at all {_emptied(own, model)}; " if not item.loop else ""
    message += "values are bound by the columns' types"
    return Finding("open-keys", message)


def _emptied(own: Prepared, model: MappedClass) -> str:
    """What the statement does without any key."""
    if own.statement.kind is Kind.INSERT:
        return "inserts a row of defaults, where the SQL may have raised"
    if any(column.onupdate for column in model.columns):
        return "sets what has `onupdate=`, where the SQL may have raised"
    return "raises SQLAlchemy's error, where the driver's came" if not _named(own) else "changes the others, as before"
