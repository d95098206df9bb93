"""Imports read by pattern: circles that a new import would close, and names that others take."""

from __future__ import annotations

from ormlift.project.graph import ImportGraph, import_lines


def build(**files: str) -> ImportGraph:
    return build_paths({name + ".py": text for name, text in files.items()})


def build_paths(files: dict[str, str]) -> ImportGraph:
    return ImportGraph({path: import_lines(text, path) for path, text in files.items()})


def test_lines_in_every_layout() -> None:
    lines = import_lines(
        "import os, sys as s\n"
        "from a.b import (\n    c,  # note, with comma\n    d as e,\n)\n"
        "from . import f\n"
        "def g():\n    from late import h\n"
        "try:\n    import fast\nexcept ImportError:\n    import slow\n"
        "if TYPE_CHECKING:\n    import typed\n"
    )
    assert [(line.module, line.names, line.at_import) for line in lines] == [
        ("os", (), True),
        ("sys", (), True),
        ("a.b", ("c", "d"), True),
        (".", ("f",), True),
        ("late", ("h",), False),
        ("fast", (), True),
        ("slow", (), True),
        ("typed", (), False),
    ]


def test_a_circle_through_another_file_is_seen() -> None:
    files = {"models.py": "from app.db import Base\n", "app/db.py": "import os\n", "services.py": "import os\n"}
    assert not build_paths(files).closes_circle("services.py", "models")
    project = build_paths({**files, "app/db.py": "from services import x\n"})
    assert project.closes_circle("services.py", "models")
    assert not project.closes_circle("models.py", "services")


def test_relative_imports_and_packages_are_followed() -> None:
    files = {"pkg/__init__.py": "from .views import v\n", "pkg/views.py": "", "pkg/models.py": "", "main.py": ""}
    assert not build_paths(files).closes_circle("pkg/views.py", "pkg.models")
    assert build_paths(files).closes_circle("pkg/views.py", "pkg")
    assert build_paths({**files, "pkg/models.py": "from . import views\n"}).closes_circle("pkg/views.py", "pkg.models")
    project = build_paths({**files, "pkg/views.py": "import main\n"})
    assert project.closes_circle("main.py", "pkg.models")


def test_an_import_inside_a_function_closes_no_circle() -> None:
    project = build(models="def f():\n    from views import v\n", views="")
    assert not project.closes_circle("views.py", "models")


def test_names_that_others_take() -> None:
    project = build(a="import json\n", b="from a import json\n", c="def f():\n    from a import late\n")
    assert project.imported_from("a.py", "json")
    assert project.imported_from("a.py", "late")
    assert not project.imported_from("a.py", "other")
    assert build(a="", b="from a import *\n").imported_from("a.py", "anything")


def test_names_that_another_file_may_read() -> None:
    graph = build(jobs="rows = 1\n", use="from jobs import rows\n", other="import os\n", late="import wide\n", wide="")
    assert graph.may_be_read("jobs.py", "rows")
    assert not graph.may_be_read("jobs.py", "more")
    assert not graph.may_be_read("other.py", "rows")
    assert graph.may_be_read("wide.py", "rows")
    assert build().may_be_read("jobs.py", "rows")
