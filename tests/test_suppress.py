"""The comment that asks to leave a site."""

from __future__ import annotations

from ormlift.suppress import suppressions


def test_one_codemod_several_and_all() -> None:
    found = suppressions(
        "a = 1  # ormlift: ignore[session-scope] shared on purpose\n"
        "b = 1  # ormlift: ignore[session-scope, cursor-to-orm]\n"
        "c = 1  # ormlift: ignore\n"
    )
    assert [s.line for s in found] == [1, 2, 3]
    assert found[0].why == "shared on purpose"
    assert found[0].covers("session-scope", 1)
    assert not found[0].covers("cursor-to-orm", 1)
    assert not found[0].covers("session-scope", 2)
    assert found[1].covers("cursor-to-orm", 2)
    assert found[2].covers("anything", 3)


def test_text_in_a_string_is_no_comment() -> None:
    assert suppressions("a = '# ormlift: ignore'\n") == ()
    assert suppressions("a = 1\n") == ()
