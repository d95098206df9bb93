"""Names that a database's URL is bound to: settings stand in other files than the engine that is made from them."""

from __future__ import annotations

import re

_SCHEME = r"[fr]?[\"'](sqlite|postgres(?:ql)?|mysql|mariadb|oracle|mssql|cockroachdb)(?:\+\w+)?:"
_BOUND = re.compile(rf"(\w+)[ \t]*(?::[^=\n]{{1,60}})?=(?!=)[^=\n]*(?:\(\s*\n[^\n=]*)?{_SCHEME}")
_RETURNED = re.compile(rf"def (\w+)\([^\n]*:\n(?:[^\n]*\n){{0,8}}?[ \t]+return [^\n]*{_SCHEME}")
_ANCHOR = re.compile(r"(?:sqlite|postgres|mysql|mariadb|oracle|mssql|cockroachdb)[\w+]*:")
_NEAR = 500  # characters in front of a URL in which its name stands
SERVERS = frozenset({"postgresql", "postgres", "mysql", "mariadb", "oracle", "mssql", "cockroachdb"})


def urls(text: str) -> tuple[tuple[str, str], ...]:
    """The names, and the scheme of the URL that each is bound to or returns; found by pattern."""
    found: dict[tuple[str, str], None] = {}
    for match in _ANCHOR.finditer(text) if "://" in text else ():
        near = text[max(0, match.start() - _NEAR) : match.end()]
        for pattern in (_BOUND, _RETURNED):
            found.update(dict.fromkeys(pattern.findall(near)))
    return tuple(found)


def scheme_of(text: str) -> str:
    """The scheme at the head of a URL, its driver left out; empty where there is none."""
    head, colon, _ = text.partition(":")
    return head.partition("+")[0].lower() if colon else ""
