"""Reasons that any codemod's site may end with; `explain` knows them like a codemod's own."""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "needs-unsafe": (
        "A rewrite is planned, but it has effects: behaviour of the program that it would or may change. Read them, "
        "and apply it with --unsafe if they are what you want."
    ),
    "manual-only": (
        "A rewrite can be shown but is never applied: the evidence speaks against it, or it needs a decision that only "
        "you can take. Change the code by hand, or leave it."
    ),
    "ignored": "A comment `# ormlift: ignore[...]` on the site's first line asks to leave it. Remove it to migrate.",
    "unusual-layout": (
        "The site is laid out in a way that an edit cannot follow without touching what stands beside it, such as two "
        "statements on one line, or without losing a comment, such as one inside an index. Put each statement on a "
        "line of its own, and the comment on a line above it, and run again."
    ),
    "import-cycle": (
        "The new text needs a name from a module that, while it is imported, imports this file: at the top of the "
        "file the import would fail. Move the scope or the models into a module that imports neither, or import the "
        "name inside the function first and run again."
    ),
    "covered": "The site was rewritten as a part of another codemod's site, which is named.",
}
