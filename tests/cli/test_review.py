"""Stepping through sites: what is accepted is applied, what is skipped stays; and the page to read."""

from html.parser import HTMLParser

import pytest


@pytest.fixture
def town(world):
    world.put("a.py", "legacy(1)\n\n\n\n\n\n\n\n\nlegacy(2)\n\n\n\n\n\n\n\n\nlegacy(3)\nnever(4)\n")
    world.put("b.py", "legacy(5)\nlegacy(6)\n")
    world.put("c.py", "risky(7)\n")
    world.commit("first")
    return world


def calls(world):
    text = b"".join(world.read(path) for path in ("a.py", "b.py", "c.py")).decode()
    return "".join("m" if "modern" in line else "l" for line in text.split("\n") if "(" in line)


@pytest.mark.parametrize(
    ("answers", "left", "commits"),
    [
        ("y\ny\ny\ny\ny\n", "mmmlmml", 2),
        ("y\nn\ny\nn\ny\n", "mlmllml", 2),
        ("d\ny\ny\n", "llllmml", 1),
        ("a\nn\nn\n", "mmmllll", 1),
        ("y\nq\n", "mllllll", 1),
        ("y\n", "mllllll", 1),
        ("x\n?\n\ny\nq\n", "mllllll", 1),
        ("q\n", "lllllll", 0),
        ("", "lllllll", 0),
    ],
)
def test_accepted_and_skipped(town, answers, left, commits):
    done = town.run("review", input=answers)
    assert done.returncode == 0, done.stderr
    assert calls(town) == left
    assert len(town.subjects()) == 1 + commits
    assert town.git("status", "--porcelain") == ""


def test_a_site_is_shown_with_its_hunk_alone(town):
    done = town.run("review", "a.py", input="n\ny\nn\n")
    assert "a.py:10: toy: rewritten: no effect" in done.stderr
    first, second, third = done.stdout.split("@@ -")[1:]
    assert "+modern(1)" in first
    assert "+modern(2)" in second
    assert "+modern(3)" in third
    assert "toy  1 rewritten, 3 refused (2 skipped, 1 not-ever)" in done.stderr


def test_sites_with_effects_are_offered_where_it_is_asked_for(town):
    done = town.run("review", "c.py", "--unsafe", "--no-commit", input="y\n")
    assert "c.py:1: toy: rewritten: louder (line 1): modern() logs" in done.stderr
    assert town.read("c.py") == b"modern(7)\n"
    assert len(town.subjects()) == 1
    assert "nothing to review" in town.run("review", "c.py", input="").stderr


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_the_page_holds_all_sites_and_nothing_from_elsewhere(town):
    nasty = "legacy('</pre><script>alert(1)</script>')  # <b>&amp;</b>\n"
    town.put("<i>d.py", nasty)
    town.put("bad.py", "legacy(\n")
    before = town.snapshot()
    done = town.run("review", "--unsafe", "--html", "../page.html")
    assert (done.returncode, done.stderr) == (0, "../page.html: 8 sites\n")
    assert town.snapshot() == before
    text = (town.root.parent / "page.html").read_text()
    page = Page()
    page.feed(text)
    assert [tag for tag, _ in page.tags].count("script") == 1, "its own"
    assert not [attrs for _, attrs in page.tags if {"src", "href"} & set(attrs)]
    assert "http" not in text
    assert "-" + nasty.strip() in page.text
    assert "<i>d.py" in page.text
    assert len([tag for tag, _ in page.tags if tag == "li"]) == 8
    assert "cannot be parsed" in page.text
    assert "not-ever: never() must stay; call something else" in page.text
