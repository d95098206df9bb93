"""The version of a library as requirement files say it: named, or the oldest that is allowed."""

import pytest
from ormlift.project.requirements import pinned


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sqlalchemy==1.4.27\n", "1.4"),
        ("SQLAlchemy == 1.3.20  # old\n", "1.3"),
        ("sqlalchemy[asyncio]~=1.4.0\n", "1.4"),
        ('sqlalchemy==2.1.0b1 ; python_version>="3.8"\n', "2.1"),
        ('sqlalchemy = "^2.0.22"\n', "2.0"),
        ('sqlalchemy = "1.4.3"\n', "1.4"),
        ('sqlalchemy = {extras = ["asyncio"], version = "^1.4"}\n', "1.4"),
        ('dependencies = ["fastapi>=0.1", "sqlalchemy>=2.0"]\n', "2.0"),
        ('dependencies = ["sqlalchemy>=2.0", "flask<2"]\n', "2.0"),
        ('install_requires=[\n    "SQLAlchemy>=1.3.0,<2.1.0",\n]\n', "1.4"),
        ("sqlalchemy>=1.3\n", "1.4"),  # installs the newest
        ("sqlalchemy>=1.3,<1.4\n", "1.3"),
        ("sqlalchemy<2\n", "1.4"),
        ("sqlalchemy<1.4\n", "1.3"),
        ("sqlalchemy>=1.4\nflask\n# sqlalchemy==1.1\n", "1.4"),
        ('[[package]]\nname = "sqlalchemy"\nversion = "2.0.31"\n', "2.0"),
        ("sqlalchemy\n", ""),
        ('sqlalchemy = "*"\n', ""),
        ("flask-sqlalchemy==2.5\nsqlalchemy-utils==0.3\n", ""),
        ('plugins = ["sqlalchemy.ext.mypy.plugin"]\n', ""),
    ],
)
def test_one_file(text: str, expected: str) -> None:
    assert pinned([text], "sqlalchemy") == expected


def test_what_is_locked_counts_more_than_what_is_allowed() -> None:
    assert pinned(["sqlalchemy>=1.4\n", 'name = "sqlalchemy"\nversion = "2.0.31"\n'], "sqlalchemy") == "2.0"


def test_of_two_that_are_named_the_older_counts() -> None:
    assert pinned(["sqlalchemy==2.0.3\n", "sqlalchemy==1.4.1\n"], "sqlalchemy") == "1.4"
