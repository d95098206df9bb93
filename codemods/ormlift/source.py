"""A file's bytes to its text, and back, byte for byte.

Encodings follow PEP 263: a BOM, a coding cookie, or UTF-8.
"""

from __future__ import annotations

import codecs
import io
import tokenize

from ormlift.model import Source


def decode(path: str, data: bytes) -> Source:
    """Read `data` as Python does. Newlines stay as they are.

    Raises SyntaxError for an unknown or contradictory encoding, and UnicodeDecodeError for bytes that do not fit it.
    """
    bom = data.startswith(codecs.BOM_UTF8)
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    if bom:
        encoding, data = "utf-8", data[len(codecs.BOM_UTF8) :]
    return Source(path, data.decode(encoding), encoding, bom)


def encode(source: Source) -> bytes:
    """The bytes to write. Raises UnicodeEncodeError where the text has what the file's encoding has not."""
    return (codecs.BOM_UTF8 if source.bom else b"") + source.text.encode(source.encoding)


def newline_of(text: str) -> str:
    """The newline that most lines of `text` end with; `\\n` where there is none."""
    crlf = text.count("\r\n")
    counts = {"\n": text.count("\n") - crlf, "\r\n": crlf, "\r": text.count("\r") - crlf}
    return max(counts, key=lambda newline: counts[newline])


def split_lines(text: str) -> list[str]:
    """The physical lines with their newlines, split as Python's tokenizer does (not at form feeds or U+2028)."""
    return list(io.StringIO(text, newline=""))
