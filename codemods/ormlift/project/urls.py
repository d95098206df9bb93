"""Names that a database's URL is bound to: settings stand in other files than the engine that is made from them."""

from __future__ import annotations

import re

_SCHEME = r"[fr]?[\"'](sqlite|postgres(?:ql)?|mysql|mariadb|oracle|mssql|cockroachdb)(?:\+\w+)?:"
_BOUND = re.compile(rf"(\w+)[ \t]*(?::[^=\n]{{1,60}})?=(?!=)[^=\n]*(?:\(\s*\n[^\n=]*)?{_SCHEME}")
_RETURNED = re.compile(rf"def (\w+)\([^\n]*:\n(?:[^\n]*\n){{0,8}}?[ \t]+return [^\n]*{_SCHEME}")
SERVERS = frozenset({"postgresql", "postgres", "mysql", "mariadb", "oracle", "mssql", "cockroachdb"})


def urls(text: str) -> tuple[tuple[str, str], ...]:
    """The names, and the scheme of the URL that each is bound to or returns; found by pattern."""
    if "://" not in text:
        return ()
    found = [*_BOUND.findall(text), *_RETURNED.findall(text)] if _worth(text) else []
    return tuple(dict.fromkeys((name, scheme) for name, scheme in found))


def _worth(text: str) -> bool:
    return any(scheme in text for scheme in ("sqlite", "postgres", "mysql", "mariadb", "oracle", "mssql", "cockroach"))


def scheme_of(text: str) -> str:
    """The scheme at the head of a URL, its driver left out; empty where there is none."""
    head, colon, _ = text.partition(":")
    return head.partition("+")[0].lower() if colon else ""
