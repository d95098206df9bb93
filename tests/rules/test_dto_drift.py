"""Every example of `dto-drift`; and the response models really read from instances, before and after."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ormlift.project.requirements import majors
from ormlift.rules.base import Example
from ormlift.rules.dto_drift import CODEMOD

from tests.rules.checks import check_example

READ = """
import datetime, decimal, json, sys, warnings
warnings.simplefilter("ignore")
from app.models import Job
import app.schemas as schemas
(model,) = [v for k, v in vars(schemas).items() if k.startswith("Job")]
job = Job(id=1, name="a", note=json.loads(sys.argv[1]), price=decimal.Decimal("1.50"),
          started_at=datetime.datetime(2024, 1, 2), secret_token="s", user_id=1, **eval(f"dict({sys.argv[2]})"))
print(model.model_validate(job).model_dump_json())
"""


def read(example: Example, text: str, folder: Path, note: str = '"x"', fill: str = "") -> tuple[str, str]:
    """What reading an instance gives, and the error."""
    for path, held in {**example.project, "app/schemas.py": text, "app/__init__.py": ""}.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(held, encoding="utf-8")
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", READ, note, fill]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    return done.stdout, done.stderr


def example_of(fault: str) -> Example:
    return next(e for e in CODEMOD.examples if e.fault == fault)


@pytest.mark.parametrize("example", CODEMOD.examples, ids=lambda e: e.title)
def test_example(example: Example) -> None:
    check_example(CODEMOD, example)


def test_missing_columns_are_lost_and_then_are_not(tmp_path: Path) -> None:
    pytest.importorskip("pydantic", minversion="2")
    example = example_of("missing-fields")
    assert example.after is not None
    assert "2024-01-02" not in read(example, example.before, tmp_path / "before")[0]
    assert '"started_at":"2024-01-02T00:00:00"' in read(example, example.after, tmp_path / "after")[0]


def test_null_raises_and_then_does_not(tmp_path: Path) -> None:
    pytest.importorskip("pydantic", minversion="2")
    example = example_of("nullable-differs")
    assert example.after is not None
    assert "ValidationError" in read(example, example.before, tmp_path / "before", "null")[1]
    assert '"note":null' in read(example, example.after, tmp_path / "after", "null")[0]


def test_orm_mode_is_ignored_and_then_is_not(tmp_path: Path) -> None:
    pytest.importorskip("pydantic", minversion="2")
    example = example_of("orm-mode")
    assert example.after is not None
    out, error = read(example, example.before, tmp_path / "before")
    assert not out
    assert "ValidationError" in error
    assert '"id":1' in read(example, example.after, tmp_path / "after")[0]


def test_a_type_that_is_never_taken_raises(tmp_path: Path) -> None:
    pytest.importorskip("pydantic", minversion="2")
    example = example_of("type-differs")
    assert "ValidationError" in read(example, example.before, tmp_path)[1]


def test_bytes_in_a_response_raise_and_so_are_never_added(tmp_path: Path) -> None:
    pytest.importorskip("pydantic", minversion="2")
    example = next(e for e in CODEMOD.examples if e.title.startswith("bytes"))
    assert '"id":1' in read(example, example.before, tmp_path / "before", fill='scan=b"\\xff\\xfe"')[0]
    grown = example.before + "    scan: Optional[Any] = None\n"
    grown = grown.replace("import Optional", "import Any, Optional")
    error = read(example, grown, tmp_path / "grown", fill='scan=b"\\xff\\xfe"')[1]
    assert "PydanticSerializationError" in error


def test_one_of_several_aliases_reads_the_column(tmp_path: Path) -> None:
    pytest.importorskip("pydantic", minversion="2")
    example = next(e for e in CODEMOD.examples if "aliases" in e.title)
    assert '"remark":"x"' in read(example, example.before, tmp_path)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fastapi==0.110.0\npydantic==2.5.0\n", 2),
        ("pydantic[email]>=2.11.1\n", 2),
        ("pydantic==1.10.8\nopenapi-schema-pydantic==1.2.4\n", 1),
        ('[tool.poetry.dependencies]\npython = "^3.11"\npydantic = "^2.5"\n', 2),
        ('dependencies = [\n    "pydantic>=2.0",\n]\n', 2),
        ('dependencies = ["fastapi>=0.1", "pydantic~=2.1"]\n', None),
        ("pydantic\n", None),
        ("pydantic-settings==2.1.0\n", None),
    ],
)
def test_versions_are_read_from_requirements(text: str, expected: int | None) -> None:
    assert majors([text]).get("pydantic") == expected
