"""Text of others, fit to be shown: no character commands a terminal, hides, or makes a spreadsheet run the rest."""

# ruff: noqa: RUF001 - the full-width signs are meant

import re

_CONTROL = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
# Besides, marks that nobody sees or that turn the direction of what follows. Joiners stay: scripts and emoji need them.
_NOT_SHOWN = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
# What spreadsheet programs read as the start of a formula, also after blanks or quotes, in full width, and after what
# separates cells where the file is opened with another delimiter (OWASP, CSV injection).
_FORMULA = '(^|[;|\t\n])([ "\u00a0\u2000-\u200a\u202f\u205f\u3000]*[=+\\-@＝＋－＠])'
_REPLACEMENT = "\ufffd"


def without_control(text: str) -> str:
    """The text with U+FFFD in place of each control character but tab, new line and carriage return."""
    return re.sub(_CONTROL, _REPLACEMENT, text)


def shown(text: str) -> str:
    """The text with U+FFFD in place of each character that is not to be seen but does something."""
    return text if text.isprintable() else re.sub(_NOT_SHOWN, _REPLACEMENT, text.replace("\r\n", "\n"))


def shown_in_spreadsheet(text: str) -> str:
    """The text with an apostrophe wherever a spreadsheet would begin to run a formula."""
    return re.sub(_FORMULA, r"\1'\2", re.sub("^[\t\n]", r"'\g<0>", shown(text)))


def shown_in_spreadsheet_sql(column: str) -> str:
    """The same as an SQL expression."""
    cleaned = f"regexp_replace(replace({column}, chr(13) || chr(10), chr(10)), '{_re2(_NOT_SHOWN)}', '\ufffd', 'g')"
    begun = rf"regexp_replace({cleaned}, '^[\t\n]', '''\0')"
    return rf"regexp_replace({begun}, '{_re2(_FORMULA)}', '\1''\2', 'g')"


def _re2(pattern: str) -> str:
    """A pattern of this module in ASCII, as DuckDB's regular expressions have it."""
    return re.sub("[^ -~]", lambda found: f"\\x{{{ord(found[0]):x}}}", pattern)
