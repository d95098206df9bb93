"""Lives that are of the same connections: all of them are rewritten, or none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ormlift.model import Reason, Refusal, Rewrite, Site
from ormlift.rules.base import Context
from ormlift.sql.life.find import runs
from ormlift.sql.life.lent import apart, lend_out
from ormlift.sql.life.model import How, Life
from ormlift.sql.life.plain import check_any
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.rewrite import rewrite_life
from ormlift.sql.life.strays import shown_line


def together(lives: Sequence[Life], codemod: str, context: Context) -> Iterator[Site]:
    """The sites of one family: rewritten, or refused for the reason of the first that can't be."""
    listed = sorted(lives, key=lambda life: life.line)
    sites = [site_of(life, codemod, context) for life in listed]
    raw = _raw(listed, sites, context)
    if raw:
        yield from raw.values()
        listed = [life for life in listed if life not in raw]
        sites = [site_of(life, codemod, context) for life in listed]
    culprit = next((site for site in sites if isinstance(site, Refusal)), None) or _nothing(listed, codemod)
    if culprit is None:
        lines = [site.line for site in sites]
        yield from (replace(s, mates=tuple(n for n in lines if n != s.line)) for s in sites if isinstance(s, Rewrite))
        return
    alone = {life: site_of(life, codemod, context) for life in listed if apart(life, context.index)}
    lent = {life: site for life, site in alone.items() if isinstance(site, Rewrite)}
    for life, site in zip(listed, sites, strict=True):
        line = shown_line(life, context.index) if life.how is How.HANDED else life.line
        if life in lent or (life in alone and runs(life)):
            yield alone[life]
        elif runs(life) and (line or not lent):
            yield _left(life, site, culprit, line or life.line)


def _raw(lives: Sequence[Life], sites: Sequence[Site], context: Context) -> dict[Life, Refusal]:
    """The functions that stay raw beside those that hand them theirs, with their refusals."""
    refused = {life: site for life, site in zip(lives, sites, strict=True) if isinstance(site, Refusal)}
    handed = [life for life in lives if life.how is How.HANDED]
    if not all(life in handed for life in refused) or len(refused) == len(handed):
        return {}
    lent = {life: site for life, site in refused.items() if lend_out(life, context.index)}
    return {life: replace(site, line=shown_line(life, context.index) or site.line) for life, site in lent.items()}


def site_of(life: Life, codemod: str, context: Context) -> Site:
    """The site of one life."""
    try:
        return rewrite_life(life, codemod, context.index, context.settings)
    except Refused as refused:
        return Refusal(codemod, life.line, _last_line(life), refused.reason)


def _nothing(lives: Sequence[Life], codemod: str) -> Refusal | None:
    """The refusal of lives of which no statement becomes the ORM's, or only those of a table that is defined there."""
    try:
        check_any(prepared for life in lives for prepared in life.prepared)
    except Refused as refused:
        return Refusal(codemod, lives[0].line, _last_line(lives[0]), refused.reason)
    return None


def _left(life: Life, site: Site, culprit: Refusal, line: int) -> Refusal:
    """The refusal of a life, which may be that it could be rewritten if another one of its family could."""
    if isinstance(site, Refusal):
        return replace(site, line=line)
    message = f"{life.name} goes together with line {culprit.line}, which stays: {culprit.reason.message}"
    if culprit.line == life.line:
        message = culprit.reason.message
    return Refusal(site.codemod, line, _last_line(life), Reason(culprit.reason.code, message))


def _last_line(life: Life) -> int:
    ends = [use.node.end_lineno or use.line for use in life.uses]
    return max(ends if life.how in (How.KEPT, How.HANDED) else [life.call.end_lineno or life.line, *ends])
