"""Executions of one function whose texts are built from the same lists: one rewrite for all of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ormlift.model import Rewrite, Settings
from ormlift.project.index import ProjectIndex
from ormlift.sql.built.built import Group, group_of, walked
from ormlift.sql.built.edits import Editor
from ormlift.sql.built.names import built_from
from ormlift.sql.life.text import outermost
from ormlift.sql.textual.find import Textual
from ormlift.sql.textual.rewrite import Rewriter, lines_of
from ormlift.syntax import FunctionNode


def sharing(sites: Sequence[Textual], left: Sequence[Textual]) -> Iterator[list[Textual]]:
    """Those that are left, with all that execute what is built from the same variables."""
    done: set[Textual] = set()
    for site in left:
        if site in done or not isinstance(site.life.host, FunctionNode):
            continue
        group, names = [site], _names(site)
        for _ in sites:
            more = [s for s in sites if s not in group and s.life.host is site.life.host and names & _names(s)]
            if not more:
                break
            group += more
            names |= {name for other in more for name in _names(other)}
        done |= set(group)
        yield sorted(group, key=lambda s: s.line)


def _names(site: Textual) -> frozenset[str]:
    host = site.life.host
    assert isinstance(host, FunctionNode)
    return built_from([node for node in _said(site) if node is not None], host)


def _said(site: Textual) -> tuple[ast.expr, ast.expr | None]:
    """The expressions of the text and of its parameters."""
    named = {k.arg: k.value for k in site.call.keywords}
    positional = site.call.args
    parameters = positional[1] if len(positional) > 1 else named.get("params", named.get("parameters"))
    return positional[0] if positional else site.clause.node, parameters


def rewrite_together(sites: Sequence[Textual], codemod: str, index: ProjectIndex, settings: Settings) -> Rewrite | None:
    """The rewrite of all; None where their texts are not built from lists. Raises Refused."""
    plain = all(not s.clause.bare and not s.clause.problem and _is_plain(s) for s in sites)
    life = sites[0].life
    walk = walked({s.call: _said(s) for s in sites}, life, index) if plain else None
    if walk is None:
        return None
    group = group_of(walk, "named", "sqlite")
    made = [
        Rewriter(replace(site, clause=replace(site.clause, ways=())), codemod, index, settings, built=built)
        for site, built in zip(sites, group.built, strict=True)
    ]
    return _merged([one.run() for one in made], made, group)


def _is_plain(site: Textual) -> bool:
    known = {"params", "parameters"}
    return len(site.call.args) in (1, 2) and all(k.arg in known for k in site.call.keywords)


def _merged(rewrites: Sequence[Rewrite], made: Sequence[Rewriter], group: Group) -> Rewrite:
    editor = Editor(group, [one.expressed for one in made if one.expressed is not None])
    ops = outermost([*(op for rewrite in rewrites for op in rewrite.ops), *editor.ops()])
    module = group.life.module
    names = {n.id for s in editor.statements() for n in ast.walk(s) if isinstance(n, ast.Name)}
    own = set(group.life.flow.definitions) | {need.name for rewrite in rewrites for need in rewrite.imports}
    unused = {name for rewrite in rewrites for name in rewrite.unused} | ((names - own) & set(module.imports))
    return replace(
        rewrites[0],
        line=min([rewrite.line for rewrite in rewrites] + [line for op in ops for line in lines_of(op)]),
        end_line=max([rewrite.end_line for rewrite in rewrites] + [line for op in ops for line in lines_of(op)]),
        ops=ops,
        imports=tuple(sorted({need for rewrite in rewrites for need in rewrite.imports})),
        unused=tuple(sorted(unused)),
        effects=tuple(dict.fromkeys(effect for rewrite in rewrites for effect in rewrite.effects)),
        certificates=tuple(c for rewrite in rewrites for c in rewrite.certificates),
    )
