"""What an edit must not do, seen without knowing how it was made."""

from __future__ import annotations

import pytest
from ormlift.model import Source
from ormlift.syntax import Module
from ormlift.verify import VerificationError, undefined, verify_edit


def verify(before: str, after: str, *lines: tuple[int, int], origin: tuple[int | None, ...] = ()) -> None:
    module = Module.parse(Source("a.py", before))
    known = origin or tuple(range(1, len(after.splitlines()) + 1))
    verify_edit(module, Source("a.py", after), known, lines)


def test_an_honest_edit_passes() -> None:
    verify("import os\nx = 1  # c\ny = 2\n", "import os\nx = 3  # c\ny = 2\n", (2, 2))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("x = 1\n", "x = (\n", "does not parse"),
        ("x = 1  # c\n", "x = 1\n", "comment"),
        ("x = 1\ny = 2\n", "x = 2\ny = 3\n", "line 2, outside"),
        ("def f():\n    cur = 1\n    return cur\n", "def f():\n    return cur\n", "cur would be read"),
        ("import a\na.b()\n", "a.b()\n", "a would be read"),
    ],
)
def test_a_broken_promise_is_told(before: str, after: str, message: str) -> None:
    origin = (1, 3) if "def" in before else (2,) if "import" in before else ()
    with pytest.raises(VerificationError, match=message):
        verify(before, after, (1, 1) if "y" in before else (1, 3), origin=origin)


def test_what_the_encoding_lacks_is_told() -> None:
    module = Module.parse(Source("a.py", "x = 1\n", "iso-8859-1"))
    with pytest.raises(VerificationError, match="iso-8859-1"):
        verify_edit(module, Source("a.py", "x = '\u20ac'\n", "iso-8859-1"), (1,), [(1, 1)])


def test_names_bound_anywhere_around_are_not_undefined() -> None:
    text = (
        "import a\nfrom b import *\nfor c in d: pass\n"
        "def f(g, *h):\n"
        "    global i\n    i = [j for j in g]\n    def k(): return h, f, i, l, print, __file__\n"
        "class M:\n    n = 1\n    o = n\n"
    )
    assert undefined(text) == {"d", "l"}
