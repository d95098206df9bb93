"""Examples of `dto-drift`: small response models beside the class that they mirror."""

from __future__ import annotations

from ormlift.rules.base import Example

_MODELS = """\
from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Integer, Numeric, String, Text
from sqlalchemy.orm import declarative_base, relationship

Base = declarative_base()


class User(Base):
    __tablename__ = "users"

    id = Column(Integer, primary_key=True)


class Job(Base):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
    name = Column(String(50), nullable=False)
    note = Column(Text, nullable=True)
    price = Column(Numeric(10, 2), nullable=False)
    started_at = Column(DateTime, nullable=False)
    secret_token = Column(String(50))
    user_id = Column(Integer, ForeignKey("users.id"), nullable=False)
    user = relationship("User")
"""
_BYTES = _MODELS.replace("Integer, Numeric", "Integer, LargeBinary, Numeric").replace(
    "    user_id = Column", "    scan = Column(LargeBinary)\n    user_id = Column"
)
_PROJECT = {"app/models.py": _MODELS}
_OTHERS = ("Plan", "Part")
_HEAD = """\
from datetime import datetime
from decimal import Decimal
from typing import Optional

from pydantic import BaseModel, ConfigDict

"""
_ALL = """\
    id: int
    name: str
    note: Optional[str] = None
    price: Decimal
    started_at: datetime
    user_id: int
"""
_CONFIG = "    model_config = ConfigDict(from_attributes=True)\n\n"


def _dto(name: str, fields: str, config: str = _CONFIG) -> str:
    return f"{_HEAD}\nclass {name}(BaseModel):\n{config}{fields}"


def _sound(title: str, before: str) -> Example:
    return Example(title, before, project=_PROJECT)


EXAMPLES = (
    Example(
        "columns that never reach the client",
        _dto("JobResponse", _ALL.replace("    started_at: datetime\n", "").replace("    user_id", "    user_id")),
        _dto(
            "JobResponse",
            _ALL.replace("    started_at: datetime\n", "") + "    started_at: Optional[datetime] = None\n",
        ),
        effects=("response-grows",),
        fault="missing-fields",
        project=_PROJECT,
    ),
    Example(
        "few of the columns, and clients write one that they never read",
        _dto("JobOut", "    id: int\n    name: str\n")
        + "\n\nclass JobUpdate(BaseModel):\n    note: Optional[str] = None\n",
        reason="may-be-a-view",
        fault="missing-fields",
        project=_PROJECT,
    ),
    Example(
        "nothing but keys is left",
        _dto("JobResponse", "    id: int\n    user_id: int\n"),
        reason="may-be-a-view",
        fault="missing-fields",
        project=_PROJECT,
    ),
    Example(
        "a column whose name is that of a type",
        _dto("JobOut", _ALL),
        reason="name-hides",
        fault="missing-fields",
        project={"app/models.py": _MODELS.replace("    note =", "    date = Column(DateTime)\n    note =")},
    ),
    Example(
        "a field that takes no NULL",
        _dto("JobOut", _ALL.replace("note: Optional[str] = None", "note: str  # free text")),
        _dto("JobOut", _ALL.replace("note: Optional[str] = None", "note: Optional[str]  # free text")),
        effects=("field-optional",),
        fault="nullable-differs",
        project=_PROJECT,
    ),
    Example(
        "an option that Pydantic 2 ignores",
        _dto("JobRead", _ALL, "    class Config:\n        orm_mode = True  # from instances\n\n"),
        _dto("JobRead", _ALL, "    class Config:\n        from_attributes = True  # from instances\n\n"),
        fault="orm-mode",
        project=_PROJECT,
    ),
    Example(
        "both names of the option",
        _dto("JobRead", _ALL, "    class Config:\n        orm_mode = True\n        from_attributes = True\n\n"),
        reason="option-by-hand",
        fault="orm-mode",
        project=_PROJECT,
    ),
    Example(
        "a type that the column's values never are",
        _dto("JobRead", _ALL.replace("started_at: datetime", "started_at: str")),
        reason="type-by-hand",
        fault="type-differs",
        project=_PROJECT,
    ),
    _sound("every column has its field; a secret stays on the server", _dto("JobRead", _ALL)),
    Example(
        "the field leaves out what only the column's name needs",
        _dto("JobOut", _ALL),
        project={"app/models.py": _MODELS.replace("    note = Column", "    note_text = Column")},
    ),
    Example(
        "nothing uses the model, while others of its file are used",
        _dto("JobOut", _ALL.replace("started_at: datetime", "started_at: str"))
        + "\n\nclass Ping(BaseModel):\n    ok: bool\n",
        project={**_PROJECT, "app/routes.py": "from app.jobs import Ping\n"},
    ),
    _sound("input leaves columns out", _dto("JobCreate", "    name: str\n    price: Decimal\n")),
    _sound("a shorter view", _dto("JobOut", "    id: int\n")),
    _sound("a view with some of the columns", _dto("JobOut", "    id: int\n    name: str\n")),
    _sound(
        "the column is read under another name",
        _dto("JobOut", _ALL.replace("    started_at: datetime\n", "    started: datetime\n"), "")
        + "\n\n@router.get('/job', response_model=JobOut)\ndef job(db):\n    job = db.get(Job, 1)\n"
        + "    return JobOut(id=job.id, name=job.name, price=job.price, started=job.started_at, user_id=job.user_id)\n",
    ),
    Example(
        "a field of another name stands for the column",
        _dto("JobOut", _ALL.replace("price: Decimal", "price: Decimal\n    phase: str")),
        project={"app/models.py": _MODELS.replace("    note =", "    current_phase = Column(String(9))\n    note =")},
    ),
    Example(
        "whose row it is",
        _dto("JobOut", _ALL),
        project={"app/models.py": _MODELS.replace("    note =", "    workspace_type = Column(String(9))\n    note =")},
    ),
    Example(
        "three responses of the file leave the column out",
        _dto("JobOut", _ALL)
        + "".join(
            f"\n\nclass {name}Out(BaseModel):\n{_CONFIG}    id: int\n    name: str\n    note: str\n" for name in _OTHERS
        ),
        project={
            "app/models.py": _MODELS.replace("    note =", "    lane = Column(String(9))\n    note =")
            + "".join(
                f"\n\nclass {name}(Base):\n    __tablename__ = '{name.lower()}s'\n\n"
                "    id = Column(Integer, primary_key=True)\n    name = Column(String(9))\n"
                "    note = Column(String(9))\n    lane = Column(String(9))\n"
                for name in _OTHERS
            )
        },
    ),
    _sound(
        "the row that a foreign key leads to is in the response",
        _dto("JobOut", _ALL.replace("user_id: int", "user: dict")),
    ),
    _sound(
        "another response of the class has the column",
        _dto("JobOut", _ALL.replace("    price: Decimal\n", "")) + f"\n\nclass JobDetail(BaseModel):\n{_CONFIG}{_ALL}",
    ),
    _sound(
        "it is not read from instances", _dto("JobOut", _ALL.replace("started_at: datetime", "started_at: str"), "")
    ),
    _sound(
        "a validator converts",
        _dto(
            "JobOut",
            _ALL.replace("started_at: datetime", "started_at: str")
            + '\n    @field_validator("started_at", mode="before")\n    @classmethod\n    def as_text(cls, value):\n'
            + "        return value.isoformat()\n",
        ).replace("ConfigDict\n", "ConfigDict, field_validator\n"),
    ),
    _sound(
        "Pydantic 1 calls it orm_mode",
        _dto("JobRead", _ALL, "    class Config:\n        orm_mode = True\n\n").replace(", ConfigDict", ""),
    ),
    Example(
        "bytes, which JSON can't hold",
        _dto("JobRead", _ALL),
        project={"app/models.py": _BYTES},
    ),
    _sound(
        "the column is read under one of several aliases",
        _dto(
            "JobRead",
            _ALL.replace(
                "note: Optional[str] = None",
                'remark: Optional[str] = Field(None, validation_alias=AliasChoices("note", AliasPath("notes", 0)))',
            ),
        ).replace("import BaseModel, ConfigDict", "import AliasChoices, AliasPath, BaseModel, ConfigDict, Field"),
    ),
)
