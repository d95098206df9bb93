"""Bytes to text and back."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ormlift.source import decode, encode, newline_of, split_lines

COOKIE = "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1")


@pytest.mark.parametrize(
    "data", [b"", b"x = 1", b"\xef\xbb\xbfx = 1\r\n", "ü = 1\n".encode(), COOKIE, b"a\rb\r\nc\n", b"x = '\x0c'\n"]
)
def test_bytes_survive(data: bytes) -> None:
    assert encode(decode("a.py", data)) == data


@pytest.mark.parametrize("data", [b"# coding: nonsense\n", b"\xef\xbb\xbf# coding: latin-1\n"])
def test_an_impossible_encoding_is_a_syntax_error(data: bytes) -> None:
    with pytest.raises(SyntaxError):
        decode("a.py", data)


def test_bytes_that_do_not_fit_the_encoding() -> None:
    with pytest.raises((UnicodeDecodeError, SyntaxError)):
        decode("a.py", b"x = '\xff'\n")


@given(st.text(alphabet="ab\n\r\f\u2028"))
def test_lines_are_split_as_python_does(text: str) -> None:
    assert split_lines(text) == io.StringIO(text, newline="").readlines()
    assert "".join(split_lines(text)) == text


def test_the_newline_that_most_lines_have() -> None:
    assert newline_of("a\r\nb\r\nc\n") == "\r\n"
    assert newline_of("") == "\n"
    assert newline_of("a\rb\r") == "\r"
