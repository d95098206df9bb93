"""A `[tool.ormlift]` table goes into a TOML file, and all else in the file stays byte for byte."""

import tomllib

import pytest
from ormlift.setup.toml import Draft, Entry, Section, TomlError, put, render

DRAFT = Draft(
    [Entry("dialect", "mysql", "why"), Entry("models", ["a.py", 'b"\\.py'], below=["also: c.py"])],
    [Section("phases", [Entry("name", "web"), Entry("paths", ["w/**"])], "12 sites")],
)
TOLD = {"dialect": "mysql", "models": ["a.py", 'b"\\.py'], "phases": [{"name": "web", "paths": ["w/**"]}]}
OWN = "[tool.ormlift]\nstyle = 'query'\n\n# old\n[[tool.ormlift.phases]]\nname = 'x'\npaths = ['y']\n"


def test_a_file_of_its_own_has_the_keys_at_its_top():
    assert tomllib.loads(render(DRAFT, "")) == TOLD
    assert render(DRAFT, "").startswith('dialect = "mysql"  # why\n')
    assert "# also: c.py\n" in render(DRAFT, "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[project]\nname = 'x'\n",
        "[project]\nname = 'x'",
        "# only words\n",
        "[project]\r\nname = 'x'  # ünïcode\r\n\r\n[tool.black]\r\nline-length = 3\r\n",
        "[tool.other]\nx = '''\n[tool.ormliftnot]\n'''\n",
        "[tool]\nformat = 1\n",
    ],
)
def test_what_was_there_stays(text):
    new = put(text, DRAFT)
    assert new.startswith(text)
    assert tomllib.loads(new)["tool"]["ormlift"] == TOLD
    assert "\r\n" not in text or "\n" not in new.replace("\r\n", "")
    assert put(new, DRAFT) == new, "a second time changes nothing"


@pytest.mark.parametrize(
    ("head", "tail"),
    [("[project]\nname = 'x'\n\n", ""), ("", "# of black\n[tool.black]\nx = 1\n"), ("[a]\n\n", "\n[b]\n")],
)
def test_a_table_that_is_there_is_replaced_and_nothing_else(head, tail):
    new = put(head + OWN + tail, DRAFT)
    assert new.startswith(head)
    assert new.endswith(tail)
    assert "style" not in new
    assert "# old" not in new
    assert tomllib.loads(new)["tool"]["ormlift"] == TOLD


@pytest.mark.parametrize(
    "text",
    [
        "tool = {black = 1}\n",
        "[tool]\normlift.style = 'query'\n",
        "[tool]\normlift = {style = 'query'}\n",
        "x = '''\n[tool.ormlift]\n'''\n",
    ],
)
def test_a_file_that_can_not_take_it_is_told(text):
    with pytest.raises(TomlError, match="by hand"):
        put(text, DRAFT)


def test_long_lists_take_a_line_for_each():
    names = [f"some/folder/file_{n}.py" for n in range(9)]
    text = render(Draft([Entry("models", names, "many")]), "")
    assert tomllib.loads(text) == {"models": names}
    assert max(map(len, text.splitlines())) <= 120
