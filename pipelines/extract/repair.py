"""JSON as it should not be, made readable: one odd text would otherwise make its whole page unreadable, on every try.

Belongs here: what servers write that is no JSON, or more than a reader bears. What the values then mean is checked as
that of any other.
"""

import json
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE

# Deeper values are kept as a text: readers give up at a depth that depends on what called them.
_DEEPEST = 64
# An unfinished text matches too, to the end: no byte is looked at twice.
_TOKEN = re.compile(
    rb'(?P<text>"(?:[^"\\]++|\\.)*+"?)|(?P<open>[\[{])|(?P<close>[\]}])|(?P<number>-?(?:NaN|Infinity))', re.DOTALL
)
# Whole pairs of surrogates and other escapes are kept; half a pair is what a text cut in the middle of an emoji has.
_IN_TEXT = re.compile(
    rb'(?P<fine>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4})'
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|(?P<control>[\x00-\x1f])|(?P<stray>\\)"
)


def repaired(body: bytes) -> bytes:
    """The same JSON as readers want it. What was no JSON in another way still is none.

    Without a byte order mark, with control characters escaped, half surrogate pairs as U+FFFD, NaN and Infinity as
    texts, and what is nested without end as a text.
    """
    if body.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        body = body.decode("utf-16", errors="replace").encode(errors="replace")
    body = body.removeprefix(BOM_UTF8).strip(b"\0 \t\r\n")
    parts: list[bytes] = []
    depth = done = 0
    for token in _TOKEN.finditer(body):
        depth += token.lastgroup == "open"
        if depth > _DEEPEST:
            if token.lastgroup == "open" and depth == _DEEPEST + 1:
                parts.append(body[done : token.start()])
                done = token.start()
            elif token.lastgroup == "close" and depth == _DEEPEST + 1:
                parts.append(json.dumps(body[done : token.end()].decode(errors="replace")).encode())
                done = token.end()
        elif token.lastgroup == "text":
            parts += body[done : token.start()], _IN_TEXT.sub(_fitting, token[0])
            done = token.end()
        elif token.lastgroup == "number":
            parts += body[done : token.start()], b'"' + token[0] + b'"'
            done = token.end()
        depth -= token.lastgroup == "close"
    return b"".join([*parts, body[done:]])


def _fitting(found: re.Match[bytes]) -> bytes:
    match found.lastgroup:
        case "half":
            return rb"\ufffd"
        case "control":
            return b"\\u%04x" % found[0][0]
        case "stray":
            return rb"\\"
        case _:
            return found[0]
