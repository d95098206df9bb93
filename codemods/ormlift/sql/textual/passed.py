"""The parameters that an execution of text passes, and those bound to the text."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ormlift.sql.life.literals import Parameters, is_stable, next_to, opaque, parameters, value_facts
from ormlift.sql.life.many import many_parameters
from ormlift.sql.life.pure import acts
from ormlift.sql.life.refuse import Refused
from ormlift.sql.statement import Kind
from ormlift.sql.textual.clause import Clause
from ormlift.sql.textual.find import Textual
from ormlift.sql.textual.many import check_rows, is_row_of_dicts, is_rows, reads_keys
from ormlift.sql.textual.receiver import On
from ormlift.syntax import dotted

_OPTIONS = frozenset(["params", "parameters", "statement", "clause", "object_", "execution_options"])


@dataclass(frozen=True)
class Passed:
    """What is passed; `whole` is the variable that holds them all, where it is a dict whose keys are not known."""

    parameters: Parameters
    whole: str = ""
    head: str = ""  # of the loop over rows of parameters, where it is a list of them


def has_parameters(site: Textual) -> bool:
    """Whether anything is passed beside the statement."""
    return len(site.call.args) > 1 or any(k.arg != "execution_options" for k in site.call.keywords)


def passed_to(site: Textual, clause: Clause, keys: Sequence[int | str], kind: Kind) -> Passed:
    """The parameters: those of the call, before those that are bound to the text. Raises Refused."""
    call, life = site.call, site.life
    odd = {k.arg for k in call.keywords} - _OPTIONS
    if None in odd or (odd and (len(call.args) > 1 or site.receiver is None or site.receiver.on is On.SESSION)):
        said = ", ".join(sorted(name for name in odd if name)) or "**"
        message = f"line {site.line} passes {said} to {site.method}(), which is not carried over; leave it raw"
        raise Refused("execution-options", message)
    if odd:  # SQLAlchemy 1.x: connection.execute(text, id=1)
        nodes = _keyed({k.arg: k.value for k in call.keywords if k.arg in odd and k.arg})
        found = Passed(Parameters({key: life.module.text(node) for key, node in nodes.items()}, nodes))
    else:
        found = _of_call(site, keys, kind)
    bound = _keyed(clause.bound)
    if clause.variables and not all(is_stable(n, life, call) or next_to(n, call, life.module) for n in bound.values()):
        message = f"what is bound to the text() may have changed by line {site.line}; pass the parameters there"
        raise Refused("parameters-unknown", message)
    texts = {key: life.module.text(node) for key, node in bound.items()}
    given = found.parameters
    return replace(found, parameters=replace(given, texts={**texts, **given.texts}, nodes={**bound, **given.nodes}))


def _of_call(site: Textual, keys: Sequence[int | str], kind: Kind) -> Passed:
    call, life = site.call, site.life
    given = [*call.args[1:2], *(k.value for k in call.keywords if k.arg in ("params", "parameters"))]
    node = given[0] if len(given) == 1 and len(call.args) <= 2 else None
    if node is not None and is_rows(node, site):
        check_rows(site, kind)
        rows, head = many_parameters(call, keys, life)
        return Passed(rows, head=head)
    read = parameters(call, life)
    if read is not None and not read.many:
        return Passed(read)
    if isinstance(node, ast.Call) and dotted(node.func) == "dict" and not node.args:
        nodes = _keyed({k.arg: k.value for k in node.keywords if k.arg})
        if len(nodes) == len(node.keywords):
            return Passed(Parameters({key: life.module.text(value) for key, value in nodes.items()}, nodes))
    if isinstance(node, ast.Name) and _is_dict(node, site):
        return Passed(Parameters(), node.id)
    unknown = opaque(call, keys, life) if kind is Kind.SELECT and keys else None
    if unknown is not None and isinstance(node, ast.Name):  # rows of parameters go with a SELECT nowhere
        return Passed(unknown)
    message = f"the parameters on line {site.line} are not written one by one; write them as a dict"
    raise Refused("parameters-unknown", message)


def _is_dict(node: ast.Name, site: Textual) -> bool:
    """Whether a variable surely holds one dict."""
    definitions = site.life.flow.of(node)
    if node.id in site.life.flow.captured or not definitions:
        return False
    return value_facts(node, site.life).type == "dict" or reads_keys(node, site) or is_row_of_dicts(node, site)


def asked_of(passed: Passed, keys: Sequence[int | str]) -> Parameters:
    """Only the parameters that the statement asks for, since text() ignores others."""
    given = passed.parameters
    if passed.whole:
        texts: dict[int | str, str] = {key: given.texts.get(key, f'{passed.whole}["{key}"]') for key in keys}
        return Parameters(texts, dict(given.nodes), unseen=passed.whole)
    if any(isinstance(key, int) for key in keys):
        return given
    return replace(
        given,
        texts={key: text for key, text in given.texts.items() if key in keys},
        nodes={key: node for key, node in given.nodes.items() if key in keys},
    )


def check_extra(given: Parameters, keys: Sequence[int | str], site: Textual) -> None:
    """A parameter that the statement does not ask for was evaluated all the same. Raises Refused."""
    extra = [node for key, node in given.nodes.items() if key not in keys]
    if any(acts(node) for node in extra):
        message = f"line {site.line} passes a call that the statement does not ask for; give it a statement of its own"
        raise Refused("parameters-unknown", message)


def _keyed(named: Mapping[str, ast.expr]) -> dict[int | str, ast.expr]:
    pairs: Iterable[tuple[int | str, ast.expr]] = named.items()
    return dict(pairs)
