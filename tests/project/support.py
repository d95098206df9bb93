"""An index from texts, and calls to ask it about."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from textwrap import dedent

from ormlift.model import Source
from ormlift.project.facts import read_facts
from ormlift.project.index import ProjectIndex, link
from ormlift.syntax import Module


def index_of(files: Mapping[str, str]) -> ProjectIndex:
    """The index of a project given as path -> text."""
    return link([read_facts(Source(path, dedent(text))) for path, text in files.items()])


def module_of(text: str, path: str = "app/use.py") -> Module:
    """A parsed file of the project."""
    return Module.parse(Source(path, dedent(text)))


def call_of(module: Module, written: str) -> ast.Call:
    """The one call in the module that is written so."""
    calls = [n for n in ast.walk(module.tree) if isinstance(n, ast.Call) and ast.unparse(n) == written]
    assert len(calls) == 1, [ast.unparse(c) for c in calls]
    return calls[0]
