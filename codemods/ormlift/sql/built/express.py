"""The statements of a built call as SQLAlchemy text: that of the code, each item of its lists, and each way's."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ormlift.model import Reason
from ormlift.sql.built.built import Built, name_of
from ormlift.sql.built.evaluate import with_options
from ormlift.sql.built.named import told_models
from ormlift.sql.built.opened import arguments, open_up
from ormlift.sql.built.pieces import Piece
from ormlift.sql.built.regions import Is, Region
from ormlift.sql.life.literals import Parameters
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.statements import Manner, Prepared
from ormlift.sql.statement import Kind, Written
from ormlift.sql.textual.grown import form_of, statement_text

_NO_COLUMNS = re.compile(r"(?i)^\s*(?:INSERT|REPLACE)\b[^()]*\(\s*\)\s*VALUES\b")
_FLAT = 1_000_000  # a line so long that nothing is wrapped
Spreads = Mapping[str, tuple[str, ...]]
Texts = tuple[str, ...]
Make = Callable[[str, Parameters, Spreads], Prepared]


@dataclass
class Expressed:
    """All that is written for one call."""

    built: Built
    own: Prepared  # the code's, with `*conditions` in it
    whole: list[Prepared] = field(default_factory=list)  # one for each way
    texts: dict[ast.expr, tuple[str, ...]] = field(default_factory=dict)  # what each item of a list becomes
    statements: dict[ast.expr, Prepared] = field(default_factory=dict)  # the statement that each text becomes
    spreads: Spreads = field(default_factory=dict)  # what is written for the marks in the end


def together(found: Iterable[Expressed]) -> dict[ast.expr, tuple[str, ...]]:
    """What each item of a list becomes, for all calls. Raises Refused where they do not agree."""
    texts: dict[ast.expr, tuple[str, ...]] = {}
    for expressed in found:
        for node, said in expressed.texts.items():
            if texts.setdefault(node, said) != said:
                message = f"what line {node.lineno} adds to the SQL is written otherwise for each statement"
                raise Refused("dynamic-sql", f"{message}; write each statement as one literal")
    return texts


def spreads_of(built: Built) -> Spreads:
    """What is written for the marks of the code's statement."""
    return {region.mark: _spread(region) for region in _spreading(built)}


def _spreading(built: Built) -> list[Region]:
    return [region for region in built.regions.values() if region.what not in (Is.VALUES, Is.NAME)]


def express(built: Built, own: Prepared, make: Make) -> Expressed:
    """Write them all; `own` is written. Raises Refused where a way's is not the code's with its items in it."""
    marks = spreads_of(built)
    found = Expressed(built, own, spreads=marks)
    if built.stated:
        _state(found, make)
        return found
    chunks = {p.part.chunk.node for way in built.ways for p in way if p.part.chunk is not None}
    if any(with_options(chunk)[1] is not None for chunk in chunks):
        raise _odd(built)
    for node, (region, item) in built.items().items():
        if not item.open:
            found.texts[node] = _between(region, own, _made(built, make, built.alone(item), marks), built)
    if built.open:
        open_up(found, lambda variant: _made(built, make, variant, {}), partial(_check_way, found))
        return found
    for way, variant in zip(built.ways, built.variants(), strict=True):
        whole = _made(built, make, variant, {})
        _check_way(found, way, whole, found.texts)
        found.whole.append(whole)
    found.spreads = {r.mark: (_said(r, found),) for r in _spreading(built)}
    return found


def _check_way(found: Expressed, way: Sequence[Piece], whole: Prepared, texts: Mapping[ast.expr, Texts]) -> None:
    built = found.built
    said = {r.mark: [texts[node] for node in built.items_of(way, r)] for r in _spreading(built)}
    names = {r.mark: name_of(way, r) for r in built.regions.values() if r.what is Is.NAME}
    _check(found, whole, {mark: tuple(text for item in items for text in item) for mark, items in said.items()}, names)


def _state(found: Expressed, make: Make) -> None:
    """The statement of each text: they are as many as the ways, or fewer."""
    built = found.built
    for way, variant in zip(built.ways, built.variants(), strict=True):
        whole = _made(built, make, variant, {})
        _check_rows(found, whole)
        found.whole.append(whole)
        node = next(p.part.item.node for p in way if p.part.item is not None)
        options = with_options(node)[1]
        if options is not None and whole.request is not None:
            whole.request = replace(whole.request, options=_options(options, built))
            _write_again(whole)
        text = statement_text(whole, _FLAT, 0)
        if found.texts.setdefault(node, (text,)) != (text,):
            raise _odd(built)
        found.statements[node] = whole


def _write_again(whole: Prepared) -> None:
    """The statement, as its request says by now."""
    from ormlift.sql.write import write

    assert whole.request is not None
    written = write(whole.statement, whole.request)
    assert isinstance(written, Written)
    whole.written = written


def _options(call: ast.Call, built: Built) -> str:
    if not all(keyword.arg and isinstance(keyword.value, ast.Constant) for keyword in call.keywords):
        raise _odd(built)
    return ", ".join(f"{keyword.arg}={built.module.text(keyword.value)}" for keyword in call.keywords)


def is_single(region: Region, texts: Mapping[ast.expr, tuple[str, ...]], built: Built) -> bool:
    """Whether a variable always holds one expression, so that it need be no list."""
    ways = (built.items_of(way, region) for way in built.ways)
    return region.what is Is.ORDER and all(sum(len(texts[node]) for node in nodes) == 1 for nodes in ways)


def _said(region: Region, found: Expressed) -> str:
    (spread,) = _spread(region)
    return region.name if is_single(region, found.texts, found.built) else spread


def _spread(region: Region) -> tuple[str, ...]:
    return (f"**{region.name}" if region.named else f"*{region.name}",)


def manner_of(built: Built, manner: Manner, kind: Kind) -> Manner:
    """How all of the statements are written, so that they can be compared."""
    what = {region.what for region in built.regions.values()}
    style = "select" if what & {Is.ASSIGNMENTS, Is.STATEMENT} else manner.style
    never = Is.CONDITIONS in what and kind is not Kind.SELECT and manner.synchronize == "evaluable"
    return replace(manner, style=style, variables=False, synchronize="never" if never else manner.synchronize)


def _made(built: Built, make: Make, variant: tuple[str, Parameters], spreads: Spreads) -> Prepared:
    try:
        if not _NO_COLUMNS.search(variant[0]):  # which the parser takes
            return make(*variant, spreads)
    except Refused as refused:
        if refused.reason.code != "sql-not-parsed":
            raise
    line = built.call.lineno
    message = f"the SQL of line {line} is no whole statement on some way, as where a list is empty"
    raise Refused("dynamic-sql", f"{message}; leave the function first where there is nothing to do")


def _between(region: Region, own: Prepared, alone: Prepared, built: Built) -> tuple[str, ...]:
    """What stands in the place of the mark."""
    (mark,) = _spread(region)
    form = form_of(own)
    before, after = arguments(region, form), arguments(region, form_of(alone))
    if before.count(mark) == 1:
        place, left = before.index(mark), len(before) - before.index(mark) - 1
        end = len(after) - left
        if place <= end and after[:place] == before[:place] and after[end:] == before[place + 1 :]:
            return after[place:end]
    deep = _inside(mark, statement_text(own, _FLAT, 0), statement_text(alone, _FLAT, 0))
    if region.what is not Is.CONDITIONS or deep is None:
        raise _odd(built)
    return deep


def _inside(mark: str, before: str, after: str) -> tuple[str, ...] | None:
    """What stands in the place of a mark that is in a part of the statement: one of a UNION, a subquery."""
    start, found, end = before.partition(f"{mark}, ")
    if not found:
        start, found, end = before.partition(mark)
    fits = after.startswith(start) and after.endswith(end) and len(start) + len(end) <= len(after)
    if not found or mark in end or not fits:
        return None
    text = f"_({after[len(start) : len(after) - len(end)]})"
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(node, ast.Call) or node.keywords or ast.unparse(node.func) != "_":
        return None
    return tuple(ast.get_source_segment(text, argument) or "" for argument in node.args)


def _check(found: Expressed, whole: Prepared, spreads: Spreads, names: Mapping[str, str]) -> None:
    if flat(whole, {}) != flat(found.own, spreads, names):
        raise _odd(found.built)
    _check_rows(found, whole)


def _check_rows(found: Expressed, other: Prepared) -> None:
    own = found.own
    assert own.written is not None
    assert other.written is not None
    one_row = own.statement.gives_one_row == other.statement.gives_one_row
    one_row &= (own.statement.kind is Kind.SELECT) is (other.statement.kind is Kind.SELECT)
    columns = [replace(column, column=None, table="") for column in own.written.columns]
    others = [replace(column, column=None, table="") for column in other.written.columns]
    if columns != others or not one_row:
        message = f"the rows of line {found.built.call.lineno} differ by the way the SQL is put together"
        raise Refused("dynamic-sql", f"{message}; execute each statement by itself")


def flat(prepared: Prepared, spreads: Spreads, names: Mapping[str, str] | None = None) -> str:
    """The written text on one line; with these names of columns for the marks."""
    from ormlift.sql.write import write

    assert prepared.request is not None
    request = replace(prepared.request, line_length=_FLAT, indent=0, base_indent=0, spreads=spreads)
    request = replace(request, models=told_models(request.models, names or {}))
    written = write(prepared.statement, request)
    if isinstance(written, Reason):
        raise Refused(written.code, f"line {prepared.execution.line}: {written.message}")
    assert isinstance(written, Written)
    return "\n".join([*written.above, written.text])


def _odd(built: Built) -> Refused:
    message = (
        f"a list that is joined into the SQL of line {built.call.lineno} holds more than conditions or assignments"
    )
    return Refused("dynamic-sql", f"{message} that stand by themselves; write each statement as one literal")
