"""What an expression gives on one way through the code: a text with its pieces, or the parameters one by one."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from ormlift.sql.built.helpers import Helpers
from ormlift.sql.built.rounds import Rounds
from ormlift.sql.built.values import KEY, Called, Item, Items, Keyed, Part, State, Text, Value, Words
from ormlift.sql.life.assumed import assumed
from ormlift.sql.life.choices import texts_of
from ormlift.sql.life.holes import listed
from ormlift.sql.life.literals import sql_text
from ormlift.sql.life.model import Life
from ormlift.sql.textual.clause import is_text

_PLACEHOLDER = re.compile(r"\s*(?:\?|%s|:\w+|%\(\w+\)s)\s*")
OF_VALUES = ":values"  # ends the name of a region of placeholders
_Entry = tuple[str, Item | None, Text | None]  # of a list that is joined: the region, the item, its text
_MARK = re.compile("[\ue000-\uf8ff]")


class Evaluator:
    """Evaluates in the state of one way; `decide` says how a test comes out."""

    def __init__(
        self,
        life: Life,
        state: State,
        decide: Callable[[ast.expr], bool],
        opens: dict[str, Item],
        used: set[str],
        helpers: Helpers,
        ask: Callable[[str], bool],
    ) -> None:
        self.life, self.state, self.decide = life, state, decide
        self.helpers, self.ask = helpers, ask  # functions of the project, and how a test in one of them comes out
        self.opens = opens  # dicts whose keys are not known, each with what stands for its items
        self.used = used  # those that the text of this way has been built from
        self.rounds: Rounds | None = None  # the loop that is being walked
        self.holds = True  # its variables are those of the function that executes

    def value(self, node: ast.expr, place: ast.stmt) -> Value | None:
        """What a variable holds that it is assigned to; None: unknown."""
        if isinstance(node, ast.Name) and node.id in self.state:
            return self.state[node.id]
        text = self.text(with_options(self.chosen(node))[0])
        if text is not None:
            return Words(text)
        keyed = self.keyed(node, place)
        if keyed is not None:
            return keyed
        items = self.items(node, place)
        return Items(items) if items is not None else None

    def chosen(self, node: ast.expr) -> ast.expr:
        """The branch of a conditional expression that is taken."""
        while isinstance(node, ast.IfExp):
            node = node.body if self.decide(node.test) else node.orelse
        return node

    # Text

    def text(self, node: ast.expr) -> Text | None:
        """The text that an expression gives."""
        match node:
            case ast.Constant(value=str(value)):
                return (Part(value),)
            case ast.JoinedStr(values=values):
                return _together(self._filled(value) for value in values)
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                return _together([self.text(left), self.text(right)])
            case ast.BinOp(op=ast.Mod(), left=template, right=right):
                return self._percent(template, right.elts if isinstance(right, ast.Tuple) else [right])
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.text(body if self.decide(test) else orelse)
            case ast.BoolOp(op=ast.Or(), values=[first, second]):
                text = self.text(first)
                return text if text is None or any(part.text for part in text) else self.text(second)
            case ast.Name(id=name) if self.state.get(name) is not None:
                held = self.state[name]
                return self.through(name, held.parts) if isinstance(held, Words) else None
            case ast.Call(func=ast.Attribute(value=value, attr="strip"), args=[], keywords=[]):
                return self._stripped(value)
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(joint)), attr="join"), args=[made]):
                return self._joined(joint, made)
            case ast.Call(func=ast.Attribute(value=template, attr="format"), args=args, keywords=keywords):
                return self._formatted(template, args, {k.arg: k.value for k in keywords})
            case ast.Call() if self.is_helper(node):
                words = self._returned(node)
                return words.parts if isinstance(words, Words) else None
            case ast.Call(args=[inner], keywords=[]) if is_text(node, self.life.module):
                return self.text(inner)
            case _:
                return self._constant(node)

    def _filled(self, value: ast.expr) -> Text | None:
        if isinstance(value, ast.FormattedValue):
            plain = value.conversion == -1 and value.format_spec is None
            return self.text(value.value) if plain else None
        return self.text(value)

    def _constant(self, node: ast.expr) -> Text | None:
        bound = isinstance(node, ast.Name) and node.id in self.state
        known = sql_text(node, self.life) if isinstance(node, ast.Name | ast.Attribute) and not bound else None
        if known is not None and not _MARK.search(known.value):
            return (Part(known.value),)
        return self._worded(node) if known is None and self.holds else None

    def _worded(self, node: ast.expr) -> Text | None:
        """One of the texts that an expression may give, where the code says them all."""
        if not isinstance(node, ast.Name | ast.Subscript | ast.Call):
            return None
        words = tuple(dict.fromkeys(texts_of(node, self.life) or ()))
        words = words or (isinstance(node, ast.Name) and assumed(node, self.life)) or ()
        if not words:
            return None
        name = node.id if isinstance(node, ast.Name) else ""
        of = sorted(id(d) for d in self.life.flow.of(node)) if isinstance(node, ast.Name) else [id(node)]
        said = next((word for word in words[:-1] if self.ask(f"{of} is {word}")), words[-1])
        return (Part(said, held=name, fixed=True),)

    def _stripped(self, node: ast.expr) -> Text | None:
        text = self.text(node)
        if not text or any(part.item or part.many for part in (text[0], text[-1])):
            return text
        first, last = replace(text[0], text=text[0].text.lstrip()), text[-1]
        text = (first, *text[1:])
        return (*text[:-1], replace(text[-1], text=text[-1].text.rstrip())) if last is not first else text

    def _formatted(self, node: ast.expr, args: list[ast.expr], named: dict[str | None, ast.expr]) -> Text | None:
        template = self.text(node)
        if template is None or len(template) != 1 or None in named:
            return None
        pieces = re.split(r"(\{\w*\}|\{\{|\}\})", template[0].text)
        found: list[Text | None] = []
        for number, piece in enumerate(pieces):
            if number % 2 == 0:
                found.append((Part(piece),) if not set(piece) & set("{}") else None)
            elif piece in ("{{", "}}"):
                found.append((Part(piece[0]),))
            else:
                value = _argument(piece[1:-1], pieces[:number:1], args, named)
                found.append(self.text(value) if value is not None else None)
        return _together(found)

    def _percent(self, node: ast.expr, values: list[ast.expr]) -> Text | None:
        """`"..." % (a, b)`."""
        template = self.text(node)
        if template is None or len(template) != 1:
            return None
        pieces = re.split(r"(%[s%])", template[0].text)
        if any("%" in piece for piece in pieces[::2]) or pieces.count("%s") != len(values):
            return None
        given = iter(values)
        parts = (Part(p.replace("%%", "%")) if n % 2 == 0 or p != "%s" else None for n, p in enumerate(pieces))
        return _together((part,) if part is not None else self.text(next(given)) for part in parts)

    # Lists that are joined

    def _joined(self, joint: str, made: ast.expr) -> Text | None:
        counted = listed(ast.Call(ast.Attribute(ast.Constant(joint), "join"), [made], []))
        if counted is not None and not self._is_known(counted):
            return (Part("?", many=counted),)
        found = self._listed(made)
        if found is None:
            return None
        marks = {name for name, _, _ in found} - {name for name, _, text in found if not _is_holder(text)}
        parts: list[Part] = []
        before = ""
        for number, (name, item, text) in enumerate(found):
            if text is None:
                return None
            region = name + OF_VALUES if name and name in marks else name
            inside = region if region == before else ""
            parts += [Part(joint, region=inside, joint=bool(inside))] if number else []
            foreign = item.node if item is not None and item.foreign else None
            parts += [replace(p, item=item if region else None, region=region, foreign=foreign) for p in text]
            before = region
        return tuple(parts)

    def _is_known(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and (self.state.get(node.id) is not None or node.id in self.opens)

    def _listed(self, node: ast.expr) -> list[_Entry] | None:
        """The items of a list that is joined, each with its text and the variable that it is of."""
        match node:
            case ast.Name(id=name):
                return self._held(name)
            case ast.List(elts=elts) | ast.Tuple(elts=elts):
                return [("", None, self.text(e)) for e in elts]
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="keys"), args=[]):
                return self._held(name)
            case ast.Call(func=ast.Name(id="list" | "tuple"), args=[inner], keywords=[]):
                return self._listed(inner)
            case ast.BinOp(left=ast.List(elts=[ast.Constant(value=str(said))]), op=ast.Mult(), right=right):
                return self._repeated(said, right)
            case ast.BinOp(left=ast.Constant(value="?"), op=ast.Mult(), right=right):
                return self._repeated("?", right)
            case (
                ast.ListComp(elt=elt, generators=[ast.comprehension(target=target, iter=source, ifs=[])])
                | ast.GeneratorExp(elt=elt, generators=[ast.comprehension(target=target, iter=source, ifs=[])])
            ):
                return self._comprehended(elt, target, source)
            case ast.Call() if self.is_helper(node):
                made = self._returned(node)
                return self._entries("", made if isinstance(made, Items) else None)
            case _:
                return None

    def _repeated(self, said: str, length: ast.expr) -> list[_Entry] | None:
        match length:
            case ast.Call(func=ast.Name(id="len"), args=[ast.Name(id=name)]):
                held = self._held(name)
                return held and [(region, item, (Part(said),)) for region, item, _ in held]
            case _:
                return None

    def _held(self, name: str) -> list[_Entry] | None:
        match self.state.get(name):
            case Items() as items:
                return self._entries(name, items)
            case Keyed(items=keyed) if not any(item.open for item in keyed.values()):
                return [(name, item, (Part(key),)) for key, item in keyed.items()]
            case None if name in self.opens:
                self.used.add(name)
                return [(name, self.opens[name], (Part(KEY),))]
            case _:
                return None

    @staticmethod
    def _entries(name: str, held: Items | None) -> list[_Entry] | None:
        """The items of a list; beside those of a dict, others are part of the statement."""
        if held is None:
            return None
        mixed = any(item.home not in ("", name) for item in held.items)
        return [(item.home or ("" if mixed or item.foreign else name), item, item.text) for item in held.items]

    def _comprehended(self, elt: ast.expr, target: ast.expr, source: ast.expr) -> list[_Entry] | None:
        if isinstance(source, ast.Call) and isinstance(source.func, ast.Attribute) and source.func.attr == "items":
            held = self._listed(source.func.value)
            target = target.elts[0] if isinstance(target, ast.Tuple) and len(target.elts) == 2 else target
        else:
            held = self._listed(source)
        if held is None or not isinstance(target, ast.Name):
            return None
        found: list[_Entry] = []
        for region, item, text in held:
            state = {**self.state, target.id: Words(text) if text is not None else None}
            inner = Evaluator(self.life, state, self.decide, self.opens, self.used, self.helpers, self.ask)
            found.append((region, item, inner.text(elt)))
        return found

    # Functions of the project

    def is_helper(self, call: ast.Call) -> bool:
        """Whether a call runs a function of the project that does nothing but to build."""
        return self.helpers.of(call) is not None

    def called(self, call: ast.Call, place: ast.stmt) -> Called | None:
        """What it leaves."""
        from ormlift.sql.built.called import called

        helper = self.helpers.of(call)
        return called(helper, call, place, self) if helper is not None else None

    def _returned(self, call: ast.Call) -> Value | None:
        """What a call amid an expression returns that does nothing else."""
        found = self.called(call, self.life.module.statement(call))
        if found is None or found.changed or len(found.returned) != 1 or any(found.shared):
            return None
        return found.returned[0]

    def through(self, name: str, parts: Text) -> Text:
        """The text of a variable, which knows it; a name that is put together of several parts is one."""
        if not self.holds:
            return parts
        whole = "".join(part.text for part in parts)
        if whole.isidentifier() and any(p.fixed for p in parts) and not any(p.region for p in parts):
            return (replace(parts[0], text=whole, held=name, fixed=True),)
        return tuple(part if part.held else replace(part, held=name) for part in parts)

    # Lists and dicts

    def items(self, node: ast.expr, place: ast.stmt) -> tuple[Item, ...] | None:
        """The items of a list or tuple."""
        match node:
            case ast.Name(id=name) if name in self.state:
                held = self.state[name]
                return held.items if isinstance(held, Items) else None
            case ast.List(elts=elts) | ast.Tuple(elts=elts):
                return _all(self._element(element, place) for element in elts)
            case ast.Call() if self.is_helper(node):
                made = self._returned(node)
                return made.items if isinstance(made, Items) else None
            case ast.Name() | ast.ListComp() | ast.Call(func=ast.Attribute(value=ast.Name(), attr="keys"), args=[]):
                return self._of_dict(node)
            case ast.Call(func=ast.Name(id="list" | "tuple"), args=[], keywords=[]):
                return ()
            case ast.Call(func=ast.Name(id="list" | "tuple"), args=[inner], keywords=[]):
                return self.items(inner, place)
            case ast.Call(func=ast.Attribute(value=inner, attr="copy"), args=[], keywords=[]):
                return self.items(inner, place)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return _all([self.items(left, place), self.items(right, place)])
            case ast.Call(func=ast.Attribute(value=inner, attr="values"), args=[], keywords=[]):
                return self._values(inner, node, place)
            case _:
                return None

    def _values(self, inner: ast.expr, node: ast.expr, place: ast.stmt) -> tuple[Item, ...] | None:
        """The values of a dict."""
        keyed = self.keyed(inner, place)
        home = inner.id if isinstance(inner, ast.Name) else ""
        if keyed is None and home in self.opens:
            self.used.add(home)
            return (Item(node, place, many=True, open=home, home=home),)
        return tuple(replace(i, home=home) for i in keyed.items.values()) if keyed is not None else None

    def _of_dict(self, node: ast.expr) -> tuple[Item, ...] | None:
        """Texts that are made of the keys of a dict, one for each."""
        found = self._listed(node)
        if found is None or not all(region and item and (item.key or item.open) for region, item, _ in found):
            return None
        return tuple(replace(item, text=text, home=region) for region, item, text in found if item is not None)

    def _element(self, node: ast.expr, place: ast.stmt) -> tuple[Item, ...] | None:
        return self.several(node.value, place) if isinstance(node, ast.Starred) else (self.item(node, place),)

    def several(self, node: ast.expr, place: ast.stmt) -> tuple[Item, ...]:
        """What `extend(..)` or `*` adds: items that are known, or all of a list that is not."""
        known = self.items(node, place)
        return known if known is not None else (Item(node, place, many=True),)

    def item(self, node: ast.expr, place: ast.stmt, key: str = "") -> Item:
        """One item."""
        text, rounds = self.text(node), self.rounds
        if rounds is None:
            return Item(node, place, text, key=key)
        opened = rounds.token if any(KEY in part.text for part in text or ()) else ""
        keys, source = (rounds.keys, rounds.source) if opened else (None, "")
        return Item(node, place, text, key=key, open=opened, loop=rounds.token, keys=keys, source=source)

    def is_round_key(self, node: ast.expr) -> bool:
        """Whether an expression is the key of the loop that is being walked, as it is."""
        held = self.state.get(node.id) if isinstance(node, ast.Name) and self.rounds is not None else None
        return isinstance(held, Words) and held.value == KEY

    def keyed(self, node: ast.expr, place: ast.stmt) -> Keyed | None:
        """The items of a dict."""
        match node:
            case ast.Name(id=name) if name in self.state:
                held = self.state[name]
                return held if isinstance(held, Keyed) else None
            case ast.Call(func=ast.Name(id="dict"), args=args, keywords=keywords) if len(args) < 2:
                start = self.spread(args[0], place) if args else Keyed()
                pairs = [(k.arg, k.value) for k in keywords]
            case ast.Dict(keys=keys, values=values):
                start = Keyed()
                pairs = [(_name(k), v) for k, v in zip(keys, values, strict=True)]
            case _:
                return None
        return self._with(start, pairs, place)

    def spread(self, node: ast.expr, place: ast.stmt) -> Keyed | None:
        """What `**data` adds; of a dict whose keys are not known, one item for them all."""
        known = self.keyed(node, place)
        if known is None and isinstance(node, ast.Name) and node.id in self.opens:
            self.used.add(node.id)
            return Keyed({f"**{node.id}": Item(node, place, many=True, open=node.id)})
        return known

    def _with(self, start: Keyed | None, pairs: list[tuple[str | None, ast.expr]], place: ast.stmt) -> Keyed | None:
        if start is None:
            return None
        found = dict(start.items)
        for key, value in pairs:
            if key is None:
                inner = self.spread(value, place)
                if inner is None:
                    return None
                found.update(inner.items)
            elif not key:
                return None
            else:
                found[key] = self.item(value, place, key)
        return Keyed(found)


def with_options(node: ast.expr) -> tuple[ast.expr, ast.Call | None]:
    """`text(..)` of `text(..).execution_options(stream=True)`, and the call of the options."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Call() as inner, attr="execution_options"), args=[]):
            return inner, node
        case _:
            return node, None


def _is_holder(text: Text | None) -> bool:
    """Whether a text is a placeholder and no more."""
    return bool(text) and _PLACEHOLDER.fullmatch("".join(part.text for part in text or ())) is not None


def _name(key: ast.expr | None) -> str | None:
    """The key of a dict; None for `**`, empty where it is not known."""
    if key is None:
        return None
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""


def _argument(said: str, before: list[str], args: list[ast.expr], named: dict[str | None, ast.expr]) -> ast.expr | None:
    if said and not said.isdigit():
        return named.get(said)
    place = int(said) if said else sum(piece == "{}" for piece in before)
    return args[place] if place < len(args) else None


def _together(texts: Iterable[Text | None]) -> Text | None:
    found: list[Part] = []
    for text in texts:
        if text is None:
            return None
        found += text
    return tuple(found)


def _all(groups: Iterable[tuple[Item, ...] | None]) -> tuple[Item, ...] | None:
    found: list[Item] = []
    for group in groups:
        if group is None:
            return None
        found += group
    return tuple(found)


def empty_or_not(value: Value | None) -> bool | None:
    """How a test of the variable comes out; None: not known."""
    match value:
        case Items(items=items):
            return bool(items) if not any(item.many for item in items) else None
        case Keyed(items=keyed):
            return bool(keyed)
        case Words():
            return bool(value.value)
        case _:
            return None


def elements(text: Text) -> Iterator[Item]:
    """The items of lists that are in a text, each once for each time it is there."""
    last: Item | None = None
    for part in text:
        if part.item is not None and part.item is not last:
            yield part.item
        last = part.item
