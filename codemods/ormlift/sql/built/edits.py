"""What becomes of the statements that built a text: lists hold expressions, and what held text or parameters goes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ormlift.model import Op, ReplaceStatement
from ormlift.sql.built.built import Built, Group
from ormlift.sql.built.express import Expressed, together
from ormlift.sql.built.named import check_named
from ormlift.sql.built.regions import Is
from ormlift.sql.built.turned import ADVICE, Texts, Turner, apart, is_unpacking, unpacked
from ormlift.sql.built.values import Item, Keyed, Several, Value, Words
from ormlift.sql.life.bound import is_bound, is_shared
from ormlift.sql.life.literals import is_stable
from ormlift.sql.life.pure import acts, does_more, looks
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.steady import check_steady
from ormlift.sql.life.text import has_comment
from ormlift.syntax import Module

_PLAIN = (
    ast.Name, ast.Constant, ast.expr_context, ast.BoolOp, ast.boolop, ast.UnaryOp, ast.unaryop, ast.BinOp, ast.operator,
    ast.Compare, ast.cmpop, ast.IfExp, ast.JoinedStr, ast.FormattedValue,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Moved:
    """A parameter that is written elsewhere."""

    node: ast.expr
    old: tuple[int, ...]  # where it was evaluated
    new: tuple[int, ...]
    far: bool  # not in the statement beside


@dataclass
class Editor:
    """Edits one group, all of whose calls are written anew."""

    group: Group
    expressed: Sequence[Expressed]  # all of its calls
    texts: Texts = field(init=False)  # what each item of a list becomes
    gone: list[ast.stmt] = field(default_factory=list)
    turned: list[ast.stmt] = field(default_factory=list)  # their items become expressions

    def __post_init__(self) -> None:
        """Put together what the calls say of the items."""
        self.texts = together(self.expressed)

    @property
    def module(self) -> Module:
        """The file."""
        return self.group.life.module

    def ops(self) -> list[Op]:
        """All edits but those of the calls. Raises Refused."""
        self._sort()
        self._check_moves()
        self._check_reads()
        check_named(self.group)
        turner = Turner(self.group, self.expressed, self.texts)
        ops: list[Op] = [ReplaceStatement(self.module.span(s), turner.text(s)) for s in self.turned]
        return [*ops, *(ReplaceStatement(self.module.span(s)) for s in self._emptied())]

    def statements(self) -> list[ast.stmt]:
        """All statements that go or change."""
        return [*self.gone, *self.turned]

    # Which statements go, and which change

    def _sort(self) -> None:
        walk, regions = self.group.walk, self.group.regions
        for statement, names in walk.touched.items():
            held = walk.held.get(statement)
            if held is None:
                continue
            if statement in walk.helped and not isinstance(held, Keyed):
                self._sort_helped(statement, names)
                continue
            if is_unpacking(statement) or isinstance(held, Several):
                self._sort_several(statement, names, held)
                continue
            region = next((regions[name] for name in names if name in regions), None)
            if region is not None and region.what is Is.NAME:
                continue
            if region is None or region.text is not isinstance(held, Words):
                kept = isinstance(held, Keyed) and names <= walk.sources
                if not kept and not self._may_stay(statement, names):
                    self.gone.append(statement)
            elif isinstance(held, Keyed):
                self._check_kept(held)
            else:
                self.turned.append(statement)
        tests = (n.test for s in self.gone for n in ast.walk(s) if isinstance(n, ast.IfExp))
        if test := next((test for test in tests if acts(test)), None):
            raise self._refused(f"the test on line {test.lineno} does something, and would go")
        for statement in self.statements():
            if has_comment(statement, self.module):
                message = f"a comment stands inside the statement on line {statement.lineno}; move it above"
                raise Refused("unusual-layout", message)

    def _sort_helped(self, statement: ast.stmt, names: set[str]) -> None:
        """What a function has put into lists stands in the statement; what was in them stays."""
        regions = [name for name in names if name in self.group.regions]
        if statement in self.group.walk.helpers.inlined and regions and not unpacked(statement) - names:
            self.turned.append(statement)
            return
        if (regions and not self.group.walk.helped[statement]) or unpacked(statement) - names:
            raise self._refused(f"line {statement.lineno} has a function fill more than the SQL, or another list")
        self.gone.append(statement)

    def _sort_several(self, statement: ast.stmt, names: set[str], held: Value | Several) -> None:
        regions = [name for name in names if name in self.group.regions]
        values = held.values if isinstance(held, Several) else dict.fromkeys(names, held)
        kept = [name for name in regions if isinstance(values.get(name), Keyed)]
        others = unpacked(statement) - names
        if not regions and not others:
            self.gone.append(statement)
        elif is_unpacking(statement) and not kept and apart(statement):
            self.turned.append(statement)
        else:
            raise self._refused(f"line {statement.lineno} leaves more than one list behind")

    def _may_stay(self, statement: ast.stmt, names: set[str]) -> bool:
        """Whether a text by itself is used for more: it stays."""
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Constant):
            return False
        (name,) = names
        built = [*self.group.walk.touched, *(one.call for one in self.group.built)]
        inside = {inner for whole in built for inner in ast.walk(whole)}
        return any(n.id == name and n not in inside for n in self._loads())

    def _check_kept(self, held: Keyed) -> None:
        """The dict whose keys and values are set is passed as it is. Raises Refused."""
        for item in held.items.values():
            said = self.texts.get(item.node)
            if said is not None and said != (f"{item.key}={item.said or self.module.text(item.node)}",):
                message = f"what line {item.node.lineno} sets is called or written otherwise on the model"
                raise Refused("dynamic-sql", f"{message}; write the statement as one literal")

    # What moves, and what still reads

    def _check_moves(self) -> None:
        """A parameter has the same value where it is written now. Raises Refused."""
        moved: list[_Moved] = []
        regions = self.group.regions
        known = {n for n in self.group.walk.builders if n not in regions or regions[n].what is not Is.NAME}
        for built, item, to, key in self._given():
            if any(isinstance(n, ast.Name) and n.id in known for n in ast.walk(item.node)):
                raise self._refused(f"a parameter on line {item.node.lineno} is read off what is built")
            near = self._is_near(item.place, to)
            if not near and not (self._is_still(item.node, built.call) and self._is_known(item.node, to)):
                message = f"a parameter on line {item.node.lineno} may be another where its SQL stands"
                raise self._refused(message)
            old = (item.place.lineno, item.node.lineno, item.node.col_offset)
            moved.append(_Moved(item.node, old, (to.lineno, *key), far=not near or not self._is_beside(item.place, to)))
        for piece in (piece for built in self.group.built for way in built.ways for piece in way):
            if piece.part.many is not None:
                check_steady(piece.part.many, piece.items[0].node, self.group.life)
        self._check_order(moved)

    def _check_order(self, moved: Sequence[_Moved]) -> None:
        """A parameter that is a call runs before and behind the same others as ever. Raises Refused."""
        doing = [m for m in moved if acts(m.node) or does_more(m.node, self.module)]
        seeing = [m for m in moved if m in doing or looks(m.node)]
        for one in doing:
            for other in seeing:
                turned = (one.old < other.old) is not (one.new < other.new)
                if one.node is not other.node and (one.far or turned):
                    message = (
                        f"the parameter on line {one.node.lineno} is a call, which could run before or behind another"
                    )
                    raise self._refused(message)

    def _is_still(self, node: ast.expr, call: ast.Call) -> bool:
        """Whether an expression of names that keep their values gives the same at the call."""
        names = [inner for inner in ast.walk(node) if isinstance(inner, ast.Name)]
        plain = all(isinstance(inner, _PLAIN) for inner in ast.walk(node))
        return plain and all(is_stable(name, self.group.life, call) for name in names)

    def _is_known(self, node: ast.expr, place: ast.stmt) -> bool:
        """Whether the names of an expression are bound at a statement already."""
        found = self.group.life.flow.definitions
        names = [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]
        definitions = [d for name in names for d in found.get(name, ())]
        return all(isinstance(d, ast.arg) or is_bound(d, place, self.module) for d in definitions)

    def _given(self) -> Iterator[tuple[Built, Item, ast.stmt, tuple[int, ...]]]:
        """Each parameter that is written elsewhere from now on, with the statement where, and its place there."""
        for built in self.group.built:
            goal = self.module.statement(built.call)
            for place, piece in ((n, piece) for way in built.ways for n, piece in enumerate(way)):
                of = piece.part.item
                if of is not None and self.group.regions[piece.part.region].keyed:
                    continue
                at = (0, place) if of is None else (of.node.lineno, of.node.col_offset)
                for item in piece.items:
                    yield built, item, of.place if of is not None else goal, at

    def _is_beside(self, place: ast.stmt, to: ast.stmt) -> bool:
        """Whether one statement is the other, or next to it."""
        suite = self.module.suite(place)
        return to in suite and abs(suite.index(to) - suite.index(place)) < 2

    def _is_near(self, place: ast.stmt, to: ast.stmt) -> bool:
        """Whether nothing but what builds stands between two statements."""
        if place is to:
            return True
        first, last = sorted((place, to), key=lambda s: s.lineno)
        around = [last, *self.module.ancestors(last)]
        between: list[ast.stmt] = []
        while not any(s in around for s in self.module.suite(first)):  # out of the branches around the first
            suite, outer = self.module.suite(first), self.module.parents[first]
            if not isinstance(outer, ast.If):
                return False
            between += suite[suite.index(first) + 1 :]
            first = outer
        suite = self.module.suite(first)
        goal = next(s for s in suite if s in around)
        between += suite[suite.index(first) + 1 : suite.index(goal)]
        while goal is not last:  # a statement of a block that does nothing before it
            if not isinstance(goal, ast.Try | ast.If) or (isinstance(goal, ast.If) and acts(goal.test)):
                return False
            suites = [goal.body] if isinstance(goal, ast.Try) else [goal.body, goal.orelse]
            suite = next((body for body in suites if any(s in around for s in body)), [])
            if not suite:
                return False
            inner = next(s for s in suite if s in around)
            between += suite[: suite.index(inner)]
            goal = inner
        return all(self._builds(s) for s in between)

    def _builds(self, statement: ast.stmt) -> bool:
        if isinstance(statement, ast.If):
            return not acts(statement.test) and all(self._builds(s) for s in [*statement.body, *statement.orelse])
        if isinstance(statement, ast.Return):
            return True
        return statement in self.gone or statement in self.turned

    def _check_reads(self) -> None:
        going = {inner for s in self.statements() for inner in ast.walk(s)}
        going |= {inner for built in self.group.built for inner in ast.walk(built.call)}
        for name in self._loads():
            if name in going or not self._is_ours(name):
                continue
            region = self.group.regions.get(name.id)
            if region is not None and region.what is Is.NAME:
                continue
            if (
                region is not None
                and not region.text
                and (self._is_test(name) or (region.keyed and self._is_listing(name)))
            ):
                continue
            if self._is_kept_set(name):
                continue
            raise self._refused(f"{name.id} is used on line {name.lineno} too, for more than to build SQL")
        self._check_open(going)
        shared = [n for n in self.group.walk.builders if is_shared(n, self.group.life.host)]
        if shared:
            raise self._refused(f"{min(shared)} is bound by another function too")
        captured = [n for n in self.group.walk.builders if n in self.group.life.flow.captured]
        if captured:
            raise self._refused(f"{min(captured)} is shared with other functions")

    def _check_open(self, going: set[ast.AST]) -> None:
        """A dict whose keys are not known is the same where it was joined into the SQL and where it is passed."""
        for built in self.group.built:
            for _, item in (found for found in built.open.values() if not found[1].loop):
                lines = [n.lineno for n in self._loads() if n.id == item.open and n in going]
                end = built.call.end_lineno or built.call.lineno
                for name in self._loads():
                    between = name.id == item.open and min(lines, default=end) <= name.lineno <= end
                    if between and name not in going and not self._is_test(name) and not self._is_listing(name):
                        raise self._refused(f"{name.id} is used on line {name.lineno}, where it may change")
                if item.open in self.group.life.flow.captured:
                    raise self._refused(f"{item.open} is shared with other functions")

    def _is_kept_set(self, name: ast.Name) -> bool:
        """Whether a statement that sets an item of a dict that stays reads it."""
        statement = self.module.statement(name)
        region = self.group.regions.get(name.id)
        return region is not None and region.keyed and statement in self.group.walk.touched

    def _loads(self) -> Iterator[ast.Name]:
        for node in ast.walk(self.group.life.host):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in self.group.walk.names:
                yield node

    def _is_ours(self, name: ast.Name) -> bool:
        """Whether it reads what one of the statements that go or change has bound."""
        ours = set(self.statements()) | {
            s for s, names in self.group.walk.touched.items() if names & set(self.group.regions)
        }
        definitions = self.group.life.flow.of(name)
        return any(self.module.statement(d) in ours for d in definitions if not isinstance(d, ast.arg))

    def _is_test(self, name: ast.Name) -> bool:
        """`if conditions:`, `if not conditions:`, `x if conditions else y`, `len(conditions)`."""
        parent = self.module.parents[name]
        if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id == "len":
            return True
        if isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.Not):
            return True
        return isinstance(parent, ast.If | ast.IfExp) and parent.test is name

    def _is_listing(self, name: ast.Name) -> bool:
        """`data.get(..)`, `data["x"]`, `"x" in data`, `f"{data}"`, or a use behind all calls: nothing changes it."""
        parent = self.module.parents[name]
        if isinstance(parent, ast.FormattedValue | ast.Compare) or self._is_behind(name):
            return True
        if isinstance(parent, ast.Subscript):
            return isinstance(parent.ctx, ast.Load) and parent.value is name
        return isinstance(parent, ast.Attribute) and parent.attr in ("get", "keys", "values", "items", "copy")

    def _is_behind(self, name: ast.Name) -> bool:
        """Whether it is read when all has been executed."""
        loops = [a for a in self.module.ancestors(name) if isinstance(a, ast.For | ast.AsyncFor | ast.While)]
        return not loops and all((b.call.end_lineno or b.call.lineno) < name.lineno for b in self.group.built)

    def _emptied(self) -> list[ast.stmt]:
        """The statements that go; an `if` of which nothing is left goes as a whole."""
        gone = set(self.gone)
        while True:
            found = {self._if_of(s, gone) for s in gone} - {None}
            if not found:
                break
            for outer in found:
                assert outer is not None
                gone = {s for s in gone if outer not in self.module.ancestors(s)} | {outer}
        return sorted(gone, key=lambda s: s.lineno)

    def _if_of(self, statement: ast.stmt, gone: set[ast.stmt]) -> ast.stmt | None:
        """The statement around whose suite would be left empty, if it can go."""
        if not all(s in gone for s in self.module.suite(statement)):
            return None
        around = self.module.parents[statement]
        if isinstance(around, ast.If) and all(s in gone for s in [*around.body, *around.orelse]):
            if acts(around.test):
                raise self._refused(f"nothing is left of the if on line {around.lineno}, and its test does something")
            return around
        raise self._refused(f"nothing is left in the block of line {statement.lineno}")

    def _refused(self, message: str) -> Refused:
        return Refused("dynamic-sql", f"{message}; {ADVICE}")
