"""The phrases of `sql/rules`, as an analyst writes them, turned into RE2 patterns for text made by `plain_words`.

A phrase is words with spaces between. `a|b` is one word or another, `word*` and `*word` any ending or beginning,
`word?` a word that may be missing, `~` up to five words of the same clause, `two_words` words within an alternative.
`=` before a phrase: it is all that the clause says. A phrase that is a code (51, R01) counts where a code stands:
alone, after a word like "code" or, unless it is a bare number, at the beginning of a clause; five digits (10417) where
`wording_of` takes them for a code. Accents, capitals, underscores and CamelCase make no difference.
"""

import re
from collections.abc import Mapping

import duckdb

from pipelines.foundation.sql_files import sql_folder

_SIGNS = re.compile(r"[|?*~=\s]+")
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""A letter of a script that is written without spaces between words."""
_CODE = re.compile(r"\d{1,4}|[a-z]\d{1,2}|\d[a-z]")
_GAP = "(?:[^ .]+ ){0,5}"
_SPACE = " (?:: )?"
_CODE_MARKERS = "code|reason|response|error|status|result|return|returned|iso|ach|sepa|codigo|grund|motif|motivo"


class BrokenPhraseError(ValueError):
    """What is wrong with a phrase, as a part of a sentence."""


def plain_words(texts: list[str]) -> dict[str, str]:
    """Each text → its words as they are compared, without spaces around them."""
    with duckdb.connect() as connection:
        connection.execute((sql_folder("model") / "macros" / "words.sql").read_text(encoding="utf-8"))
        plain = "select text, trim(plain_words(wording_of(text))) from unnest(?) as texts (text)"
        return dict(connection.execute(plain, [texts]).fetchall())


def literals(phrase: str) -> list[str]:
    """The bare words in a phrase, whose plain form `pattern` needs."""
    return [word for word in _SIGNS.split(phrase) if word]


def pattern(phrase: str, plain: Mapping[str, str]) -> str:
    """RE2 pattern of a phrase; `plain` maps its literals to their plain form. Raises BrokenPhraseError."""
    is_whole, body = phrase.startswith("="), phrase.removeprefix("=").strip()
    words = body.split()
    if not any(literals(word) for word in words):
        raise BrokenPhraseError("it has no word")
    if "=" in body or words[0] == "~" or words[-1] == "~":
        raise BrokenPhraseError("`=` stands only at its beginning, and `~` only between words")
    if all(word.endswith("?") for word in words):
        raise BrokenPhraseError("every word in it may be missing")
    if UNSPACED.search(body):
        return "[^.]{0,20}".join(_alternatives(word, plain) for word in words if word != "~")
    if _CODE.fullmatch(code := body.lower()):
        place = f"^ {code} (?:$|[.:])" if code.isdigit() else f"(?:^|[.:]) {code} "
        return f"(?:{place}| (?:{_CODE_MARKERS}){_SPACE}{code} )"
    inner = "".join(_piece(word, plain) for word in words)
    return f"(?:^|[.:]) {inner}(?:$|[.:])" if is_whole else f" {inner}"


def _piece(word: str, plain: Mapping[str, str]) -> str:
    if word == "~":
        return _GAP
    inner = _alternatives(word.removesuffix("?"), plain) + _SPACE
    return f"(?:{inner})?" if word.endswith("?") else inner


def _alternatives(word: str, plain: Mapping[str, str]) -> str:
    found = [_alternative(each, plain) for each in word.split("|")]
    return found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"


def _alternative(word: str, plain: Mapping[str, str]) -> str:
    bare = word.strip("*")
    if not bare or "*" in bare or "?" in bare or not plain[bare] or set(plain[bare]) & {".", ":"}:
        raise BrokenPhraseError(f"{word!r} is no word")
    start = "[^ ]*" if word.startswith("*") else ""
    end = "[^ ]*" if word.endswith("*") else ""
    return start + re.escape(plain[bare]) + end
