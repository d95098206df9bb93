"""What was committed when, and whether the new block commits the same."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import Effect
from ormlift.schema import SourceKind, Tri
from ormlift.sql.life.drivers import COMMITTING_BLOCK, COMMITTING_CONNECT
from ormlift.sql.life.executions import OPEN, TRANSACTION, Execution
from ormlift.sql.life.flow import Flow
from ormlift.sql.life.model import Does, How, Life, Use
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.region import Region
from ormlift.syntax import dotted


def autocommits(life: Life) -> Tri:
    """Whether each statement commits itself."""
    switches = [turned for _, turned in _switches(life)]
    if switches:
        return switches[0]
    if life.source.kind in (SourceKind.SESSION, SourceKind.SHARED_SESSION):
        return Tri.NO
    return life.source.autocommit


def check_switches(life: Life) -> None:
    """A connection is in one mode for all that it executes. Raises Refused."""
    switches = list(_switches(life))
    runs = life.where(Does.EXECUTE, Does.MANY, Does.HANDS)
    for use, turned in switches:
        late = any(run.line < use.line for run in runs) and turned is not life.source.autocommit
        ways = {a for a in life.module.ancestors(use.node) if isinstance(a, ast.If | ast.ExceptHandler | ast.While)}
        maybe = any(not ways <= set(life.module.ancestors(run.node)) for run in runs)
        if turned is Tri.UNKNOWN or late or maybe or turned is not switches[0][1]:
            message = f"line {use.line} changes whether {life.name} commits by itself, and not for all that it executes"
            raise Refused("autocommit", f"{message}; use two connections")


def _switches(life: Life) -> Iterator[tuple[Use, Tri]]:
    """Where the mode is set, and to what; behind the last statement it does not matter."""
    runs = life.where(Does.EXECUTE, Does.MANY, Does.HANDS)
    for use in life.where(Does.SETTING):
        turned = _turned(life.module.statement(use.node))
        loops = {a for a in life.module.ancestors(use.node) if isinstance(a, ast.For | ast.AsyncFor | ast.While)}
        matters = any(run.line > use.line or loops & set(life.module.ancestors(run.node)) for run in runs)
        if turned is not None and matters:
            yield use, turned


def _turned(statement: ast.stmt) -> Tri | None:
    """What a setting makes of the mode; None where it is about something else."""
    match statement:
        case ast.Assign(targets=[ast.Attribute(attr="autocommit")], value=value):
            return _flag(value)
        case ast.Assign(targets=[ast.Attribute(attr="isolation_level")], value=ast.Constant(value=None)):
            return Tri.YES
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="set_session"), keywords=keywords)):
            given = [k.value for k in keywords if k.arg == "autocommit"]
            return _flag(given[0]) if given else None
        case _:
            return None


def _flag(value: ast.expr) -> Tri:
    if isinstance(value, ast.Constant) and isinstance(value.value, bool):
        return Tri.YES if value.value else Tri.NO
    return Tri.UNKNOWN


def uncommitted(life: Life, region: Region, reached: Flow, writes: list[Execution]) -> dict[int, int]:
    """Lines of writes that some way out of the region leaves uncommitted, with the line of that way out."""
    by_call: dict[ast.AST, Execution] = {e.node: e for e in writes}
    found: dict[int, int] = {}
    for line, state in _ways_out(life, region, reached):
        for node in state:
            if node in by_call and not _in_block(node, life):
                found.setdefault(by_call[node].line, line)
    return found


def _in_block(node: ast.AST, life: Life) -> bool:
    """Whether a write stands in a `with conn:`, which commits it."""
    blocks = {life.module.statement(use.node) for use in life.where(Does.BLOCK)}
    return any(around in blocks for around in life.module.ancestors(node))


def _ways_out(life: Life, region: Region, reached: Flow) -> Iterator[tuple[int, frozenset[ast.AST]]]:
    """The lines at which the region is left without an exception, and what was last written or committed there."""
    for (node, name), definitions in reached.reaching.items():
        if name == TRANSACTION and isinstance(node, ast.stmt) and _leaves(node, life, region):
            line = (node.end_lineno or node.lineno) if node is region.last else node.lineno
            yield line, definitions


def _leaves(node: ast.stmt, life: Life, region: Region) -> bool:
    if node is region.last:
        return True
    if not region.holds(node):
        return False
    if isinstance(node, ast.Return):
        return True
    loops = (a for a in life.module.ancestors(node) if isinstance(a, ast.For | ast.AsyncFor | ast.While))
    loop = next(loops, None)
    return loop is None or not (region.holds(loop))


def handed_writes(life: Life) -> list[Execution]:
    """The calls that leave something uncommitted on the connection that they are handed, as one write each."""
    uses = [use for use in life.where(Does.HANDS) if use.hands is not None and use.hands.ends.writes]
    handed = [Execution(use, use.hands.call) for use in uses if use.hands is not None]
    given = {use.call: use for use in life.where(Does.LENT)}
    lent = [Execution(given[o.call], o.call) for o in life.lent.values() if not (o.commits or o.reads)]
    return [*handed, *lent]


def check_settled(life: Life, region: Region, reached: Flow) -> None:
    """Refuse where others are to commit what a function leaves that a kept connection is handed to. Raises Refused."""
    for line in uncommitted(life, region, reached, handed_writes(life)):
        message = f"what line {line} calls leaves on {life.name} what others commit, and the scope does not commit"
        raise Refused("commit-at-exit", f"{message}; commit behind it, or configure a scope that commits")


def commit_effects(
    life: Life, region: Region, reached: Flow, writes: list[Execution], *, scope_commits: Tri
) -> Iterator[Effect]:
    """Effects of the scope's commit on what the raw connection left uncommitted. Raises Refused where none can tell."""
    auto = autocommits(life)
    if auto is Tri.YES or life.how is How.HANDED:
        return
    before = _commits_at_end(life)
    if life.how is How.KEPT and not life.given:
        for line, out in sorted(uncommitted(life, region, reached, writes).items()):
            message = (
                f"left without a commit at line {out}, for whoever commits next on {life.name}; now it is committed"
            )
            yield Effect("commit-at-exit", line, message)
        return
    for line, out in sorted(uncommitted(life, region, reached, writes).items()):
        if before is Tri.YES and scope_commits is not Tri.YES:
            message = f"the block of line {life.line} commits at its end what line {line} writes, and the scope may not"
            raise Refused("commit-at-exit", f"{message}; configure a scope that commits, or commit in the block")
        if before is Tri.UNKNOWN and scope_commits is Tri.NO:
            message = f"the block of line {life.line} may commit at its end what line {line} writes, and the scope not"
            raise Refused("commit-at-exit", f"{message}; configure a scope that commits, or commit in the block")
        if before is Tri.YES:
            continue
        if auto is Tri.UNKNOWN and not life.where(Does.COMMIT):
            message = (
                "nothing here commits what this line writes; it cannot be told whether the connection does by itself"
            )
            yield Effect("autocommit", line, message)
        elif before is scope_commits is Tri.NO:
            continue
        elif before is Tri.UNKNOWN:
            message = f"it cannot be told whether {dotted(life.call.func)}() commits at its end what this line writes"
            yield Effect("commit-at-exit", line, f"{message}; the scope {_what(scope_commits)}")
        else:
            yield Effect("commit-at-exit", line, f"left without a commit at line {out}; the scope commits it")


def _what(scope_commits: Tri) -> str:
    return "commits it" if scope_commits is Tri.YES else "may, too"


def _commits_at_end(life: Life) -> Tri:
    """Whether the block that held the raw connection commits when it ends."""
    if life.manager is not None:
        return life.manager.commits
    if life.how is not How.WITH:
        return Tri.NO
    if not life.source.driver:
        return Tri.UNKNOWN
    return Tri.YES if life.source.driver in COMMITTING_CONNECT else Tri.NO


def check_blocks(life: Life, reached: Flow) -> None:
    """`with conn:` becomes `with session.begin():`, which needs that no transaction is open. Raises Refused."""
    for use in life.where(Does.BLOCK):
        if life.source.driver and life.source.driver not in COMMITTING_BLOCK:
            message = f"what `with {life.name}` on line {use.line} does differs between drivers; commit by name instead"
            raise Refused("with-connection", message)
        _check_inside(use, life)
        opened = reached.of(use.node, OPEN)
        commits = {u.node for u in life.where(Does.COMMIT, Does.ROLLBACK)}
        commits |= {u.node for u in life.where(Does.HANDS) if u.hands is not None and not u.hands.ends.opens}
        inner = {n for n in opened if _in_block(n, life)}
        if opened - commits - inner:
            message = f"`with {life.name}` on line {use.line} begins while a transaction is open; commit before it"
            raise Refused("with-connection", message)
    for use in life.where(Does.HANDS):
        if use.hands is not None and use.hands.ends.commits and _in_block(use.node, life):
            message = (
                f"line {use.line} calls {use.hands.function.name}() in a `with {life.name}`, and it commits itself"
            )
            raise Refused("with-connection", f"{message}; commit in one of the two")


def _check_inside(block: Use, life: Life) -> None:
    """`with session.begin():` takes no other one inside, and nothing behind a commit or rollback. Raises Refused."""
    module, whole = life.module, life.module.statement(block.node)
    inside = [u for u in life.uses if u is not block and whole in module.ancestors(u.node)]
    inner = next((u for u in inside if u.does is Does.BLOCK), None)
    if inner is not None:
        message = f"`with {life.name}` on line {inner.line} begins inside of the one on line {block.line}"
        raise Refused("with-connection", f"{message}; leave one of them out")
    for ends in (u for u in inside if u.does in (Does.COMMIT, Does.ROLLBACK)):
        loops = {a for a in module.ancestors(ends.node) if isinstance(a, ast.For | ast.AsyncFor | ast.While)}
        own = {loop for loop in loops if whole in module.ancestors(loop)}
        later = [u for u in inside if u.line > ends.line or own & set(module.ancestors(u.node))]
        if any(u.does in (Does.EXECUTE, Does.MANY, Does.HANDS) for u in later):
            message = f"line {ends.line} ends the transaction in a `with {life.name}`, and more is executed behind it"
            raise Refused("with-connection", f"{message}; commit in one of the two")
