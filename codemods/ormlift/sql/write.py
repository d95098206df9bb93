"""A parsed statement to readable SQLAlchemy source text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ormlift.model import Reason
from ormlift.sql.binding import Binder, SlotAtom
from ormlift.sql.layout import Atom, Chain, Infix, Items, Node, Pair, Prefix, call, lay_out, method
from ormlift.sql.scope import Names, Refused, Scope, unsupported
from ormlift.sql.statement import Fetch, Kind, Written
from ormlift.sql.versions import named_as_then, older, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ormlift.sql.selects import SelectParts
    from ormlift.sql.statement import Request, Statement

# Events of instances and of their flush: neither a SELECT of columns nor a statement that writes runs them.
PER_INSTANCE = frozenset(
    [
        "before_insert",
        "after_insert",
        "before_update",
        "after_update",
        "before_delete",
        "after_delete",
        "load",
        "refresh",
        "refresh_flush",
        "init",
        "init_failure",
        "first_init",
        "expire",
        "pickle",
        "unpickle",
        "set",
        "append",
        "remove",
        "modified",
        "bulk_replace",
        "init_scalar",
        "init_collection",
        "dispose_collection",
        "instrument_class",
        "class_instrument",
        "attribute_instrument",
        "before_mapper_configured",
        "mapper_configured",
        "before_configured",
        "after_configured",
        "before_create",
        "after_create",
        "before_drop",
        "after_drop",
        "column_reflect",
    ]
)
ROWS = (Fetch.FIRST, Fetch.ALL, Fetch.ITERATE, Fetch.SCALAR, Fetch.SCALARS)


def write(statement: Statement, request: Request) -> Written | Reason:
    """Write the statement as an expression on the session, in the style and for the fetch that are asked for.

    SELECT in `select` style: `session.execute(select(Job.a).where(...)).first()`; in `query` style
    `session.query(Job.a).filter(...).first()`. Fetch.ITERATE gives what can be iterated over, `.all()` a list.
    DML: `session.execute(update(Job).where(...).values(...))`, with `.rowcount` for Fetch.ROWCOUNT.
    """
    if len(request.arguments) != len(statement.slots):
        return Reason(
            "arguments-mismatch",
            f"{len(statement.slots)} parameters are in the SQL and {len(request.arguments)} passed; mend the call.",
        )
    names = Names(request)
    binder = Binder(statement, request.arguments, names)
    try:
        node, parts = _node(statement, request, Scope(request, names), binder, names)
    except Refused as refused:
        return refused.reason
    except RecursionError:
        return Reason("sql-not-supported", "The statement is nested too deeply; rewrite it by hand.")
    _models(names, binder)
    node = named_as_then(node, request.sqlalchemy)
    from ormlift.sql.results import result_columns

    above = tuple(_assigned(name, value, request) for name, value in names.variables)
    every = [atom.slot for part in (*(value for _, value in names.variables), node) for atom in _slots(part)]
    return Written(
        text=lay_out(node, request.line_length, request.indent, request.base_indent),
        above=above,
        imports=tuple(sorted(names.imports)),
        columns=result_columns(parts, statement.dialect) if parts else (),
        effects=tuple(binder.findings.values()),
        slot_order=tuple(dict.fromkeys([*every, *range(len(statement.slots))])),
        binds=tuple(dict.fromkeys(binder.binds)),
        occurrences=tuple(every),
    )


def _assigned(name: str, value: Node, request: Request) -> str:
    """`name = ..`, laid out at the column at which the statement's later lines hang."""
    head = f"{name} = "
    start = request.base_indent + len(head)
    return head + lay_out(value, request.line_length, start, request.base_indent)


def _query(statement: Statement, request: Request, binder: Binder, names: Names) -> tuple[Node, SelectParts]:
    from sqlglot import exp

    from ormlift.sql.queries import Queries
    from ormlift.sql.selects import SelectParts, SelectWriter

    tree = statement.tree
    if isinstance(tree, exp.Select):
        writer = SelectWriter(tree, Scope(request, names, tree), binder, names, request.timestamps)
        parts = writer.parts(request.kept, query=request.style == "query")
        return _select(statement, request, writer, parts), parts
    if request.kept:
        raise unsupported("A set operation of which a column is used as the text that the driver gave,")
    built = Queries(binder, names, request.timestamps).built(tree, None)
    items = list(built.items)
    return _fetched(built.node, request), SelectParts(items=items, columns=[item.node for item in items])


def _node(
    statement: Statement, request: Request, scope: Scope, binder: Binder, names: Names
) -> tuple[Node, SelectParts | None]:
    from ormlift.sql.changes import ChangeWriter
    from ormlift.sql.inserts import InsertWriter

    if statement.kind is Kind.SELECT:
        if request.fetch not in (*ROWS, Fetch.NONE, Fetch.STATEMENT):
            raise unsupported(f"The {request.fetch.value} of a SELECT")
        return _query(statement, request, binder, names)
    if request.fetch in ROWS and not statement.gives_rows:
        raise unsupported(f"Rows of {statement.kind.value.upper()}")
    if statement.kind is Kind.INSERT:
        insert = InsertWriter(statement.tree, scope, binder, names, request)
        return _executed(insert.insert(), statement, request), insert.returned
    change = ChangeWriter(statement.tree, scope, binder, names, request)
    query = request.style == "query"
    node = change.update(query=query) if statement.kind is Kind.UPDATE else change.delete(query=query)
    if query and isinstance(node, Chain) and isinstance(node.base, Atom):
        if request.fetch is Fetch.LASTROWID:
            raise unsupported("lastrowid of what is no INSERT")
        return node, None
    return _executed(node, statement, request), change.returned


def _executed(node: Node, statement: Statement, request: Request) -> Node:
    if older(request.sqlalchemy, "1.4"):
        raise Refused(*refusal(request.sqlalchemy, "A change of a mapped class by `execute(..)`", "1.4"))
    if request.fetch is Fetch.STATEMENT:
        return _with_options(node, request)
    if request.fetch in ROWS:
        return _fetched(node, request)
    chain = Chain(Atom(request.session), (call("execute", *_handed(node, request)),), split=False)
    if request.fetch is Fetch.NONE:
        return chain
    if statement.gives_rows:
        raise unsupported(f"The {request.fetch.value} of a statement with RETURNING")
    if request.fetch is Fetch.LASTROWID and (statement.kind is not Kind.INSERT or statement.dialect == "postgresql"):
        raise unsupported(f"lastrowid of {statement.kind.value.upper()} on {statement.dialect}")
    return Chain(chain.base, (*chain.links, Atom(request.fetch.value)), split=False)


def _select(statement: Statement, request: Request, writer: object, parts: SelectParts) -> Node:
    from ormlift.sql.selects import SelectWriter, assemble

    assert isinstance(writer, SelectWriter)
    fetch = request.fetch
    added = parts.distinct and parts.order_apart and older(request.sqlalchemy, "2.0")  # what Query selects as well
    if request.style == "query" and not added and _query_fits(statement, fetch, parts):
        if fetch is Fetch.FIRST:
            parts.limit = None  # `.first()` sets it to one row
        head = method(Atom(request.session), "query", *parts.columns)
        chain = assemble(parts, writer, head, query=True)
        return chain if fetch in (Fetch.ITERATE, Fetch.NONE) else method(chain, fetch.value)
    chain = assemble(parts, writer, call(writer.names.sa("select"), *parts.columns), query=False)
    inner: Node = chain if chain.links else chain.base
    return _fetched(inner, request)


def _fetched(inner: Node, request: Request) -> Node:
    name = {Fetch.SCALAR: "scalar", Fetch.SCALARS: "scalars"}.get(request.fetch, "execute")
    if request.fetch is Fetch.STATEMENT:
        return _with_options(inner, request)
    if name == "scalars" and older(request.sqlalchemy, "2.0"):  # `session.scalars` came with 1.4.24
        links: list[Items | Atom] = [call("execute", *_handed(inner, request)), call("scalars")]
    else:
        links = [call(name, *_handed(inner, request))]
    if request.fetch is Fetch.FIRST:
        links.append(call("first"))
    if request.fetch in (Fetch.ALL, Fetch.SCALARS):
        links.append(call("all"))
    return Chain(Atom(request.session), tuple(links), split=False)


def _with_options(node: Node, request: Request) -> Node:
    return method(node, "execution_options", Atom(request.options)) if request.options else node


def _handed(node: Node, request: Request) -> list[Node]:
    """What `execute(..)` is handed."""
    made = Atom(request.stated) if request.stated else _with_options(node, request)
    return [made, *([Atom(request.passed)] if request.passed else [])]


def _query_fits(statement: Statement, fetch: Fetch, parts: SelectParts) -> bool:
    """Whether Query's own methods mean what is asked for.

    Query.first() overrides a LIMIT with one row, Query.scalar() raises on two rows, and Query has no scalars().
    """
    if fetch is Fetch.SCALARS or fetch is Fetch.NONE:
        return False
    if fetch is Fetch.SCALAR:
        return statement.gives_one_row
    if fetch is Fetch.FIRST and parts.limit is not None:
        return type(parts.limit) is Atom and parts.limit.text.isdigit() and int(parts.limit.text) > 0
    return True


def _models(names: Names, binder: Binder) -> None:
    for entity in names.entities:
        model = entity.model
        if model.inherits_mapped:
            binder.found("inherits-mapped", f"`{model.name}` inherits from a mapped class; the ORM may add criteria.")
        hooks = [hook for hook in model.hooks if "validates" not in hook and hook not in PER_INSTANCE]
        if hooks:
            binder.found("orm-hooks", f"`{model.name}` has hooks that run under the ORM only: {', '.join(hooks)}.")


def _slots(node: Node) -> Iterator[SlotAtom]:
    """The parameters in the order in which the text names them."""
    match node:
        case SlotAtom():
            yield node
        case Infix():
            yield from _slots(node.left)
            yield from _slots(node.right)
        case Prefix():
            yield from _slots(node.part)
        case Pair():
            yield from _slots(node.value)
        case Items():
            for item in node.items:
                yield from _slots(item)
        case Chain():
            yield from _slots(node.base)
            for link in node.links:
                yield from _slots(link)
