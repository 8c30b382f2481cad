"""What failures have in common: the rule by which they are grouped. Pure, and numbered: another rule, other groups.

A group is a step, the type of its exception and the message without what differs from run to run: ids, numbers, times,
paths, addresses and quoted values. Where the whole message is one quoted word, as that of a ``KeyError`` is, the word
is taken for the name of a field and stays: without it all fields that are missing would be one group. No pattern here
goes back over what it has read, and only so much of a message is looked at; so no message takes long.
"""

import hashlib
import re
from collections.abc import Callable

from msgspec import Struct

RULE = 2
"""Of which rule a group is. Whoever changes what this module gives raises it."""

READ_CHARACTERS = 2_000
"""So much of a message is looked at."""

KEPT_CHARACTERS = 500
"""So much of what is left of a message tells groups apart."""


class FailureGroup(Struct, kw_only=True, frozen=True):
    """Failures that are alike.

    Attributes:
        id: short and the same everywhere: a hash of the rule's number, and of what is below.
        step_id: the step that failed; empty: none did.
        error_type: class name of its exception; empty: there was none.
        message: without what differs from run to run.
    """

    id: str
    step_id: str
    error_type: str
    message: str


def group_of(step_id: str, error_type: str | None, message: str) -> FailureGroup:
    """The group of a failure: of a step (empty: of none), its exception's class name, and its message."""
    kind, text = error_type or "", common_text(message)
    content = "\0".join((str(RULE), step_id, kind, text)).encode("utf-8", "surrogatepass")
    return FailureGroup(id=hashlib.sha256(content).hexdigest()[:16], step_id=step_id, error_type=kind, message=text)


def common_text(message: str) -> str:
    """A message without what differs from run to run, on one line: ``No row <n> in <path>``."""
    text = message[:READ_CHARACTERS]
    if _ONE_QUOTED_WORD.fullmatch(text.strip()):
        return text.strip()
    for pattern, put in _STAGES:
        text = pattern.sub(put, text)
    return " ".join(text.split())[:KEPT_CHARACTERS].rstrip()


_ONE_QUOTED_WORD = re.compile(r"'[^\W\d]{1,40}+'|\"[^\W\d]{1,40}+\"")
"""Of letters and underscores, and not long: else it is a value."""

_WITH_SUFFIX = re.compile(
    r"[^.]*+(?:\.[^.]++)*?\.(?:avro|bin|bz2|cfg|conf|csv|dat|db|docx?|feather|gif|gz|html?|ini|ipynb|jpe?g|jsonl?|lock|log"
    r"|md|mp[34]|npy|npz|orc|parquet|pdf|pickle|pkl|png|pptx?|pth?|py|sh|sql|sqlite3?|svg|tar|tgz|tmp|toml|tsv|txt|wav|xlsx?"
    r"|xml|ya?ml|zip|zst)",
    re.IGNORECASE,
)
_DIGITS_OR_LETTERS = re.compile(r"[0-9]++|[^0-9]++")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{8,}+")


def _path_or_words(match: re.Match[str]) -> str:
    """A path has a file's suffix, or two slashes; ``and/or`` has neither, and ``1/2/3`` no letter."""
    text = match[0].rstrip(".")
    is_path = _WITH_SUFFIX.fullmatch(text.rpartition("/")[2]) or (
        text.count("/") > 1 and any(character.isalpha() for character in text)
    )
    return f"<path>{match[0][len(text) :]}" if is_path else match[0]


def _id_or_word(match: re.Match[str]) -> str:
    """A word in which letters and digits change more than once is an id, such as ``3f2a91bc``; ``host17`` is none."""
    word = match[0]
    if not any(character.isdigit() for character in word):
        return word
    parts = re.split("([_-])", word)
    ids = [_is_id(part) for part in parts]
    is_mixed = word.lower() != word != word.upper()
    if any(ids) and is_mixed and len(word) > 15:  # such as V1StGXR8_Z5jdHi6B-myT
        return "<id>"
    return "".join("<id>" if is_one else part for is_one, part in zip(ids, parts, strict=True))


def _is_id(word: str) -> bool:
    if word.isdigit() or not any(character.isdigit() for character in word):
        return False
    return _HEXADECIMAL.fullmatch(word) is not None or (len(word) > 5 and len(_DIGITS_OR_LETTERS.findall(word)) > 2)


_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?[AaPp][Mm]\b)?(?: ?(?:Z|UTC|GMT)\b| ?[+-]\d{2}:?\d{2}\b)?"
_DATE = (
    r"(?:\d{4}-\d{1,2}-\d{1,2}|\d{4}/\d{1,2}/\d{1,2}|\d{1,2}/\d{1,2}/\d{2,4}|\d{1,2}\.\d{1,2}\.\d{4}"
    rf"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{{0,6}},? )?(?:\d{{1,2}}[ -]{_MONTH}(?:[ -]\d{{2,4}})?"
    rf"|{_MONTH} {{1,2}}\d{{1,2}}(?:, \d{{4}})?))"
)
_QUOTED = (
    r"'(?:[^'\\\n]|\\.|(?<=\w)'(?=\w))*+'"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|`[^`\n]*+`|\u201c[^\u201d\n]*+\u201d|\u2018[^\u2019\n]*+\u2019|\u201e[^\u201c\u201d\n]*+[\u201c\u201d]|«[^»\n]*+»"
)

_STAGES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern), put)
    for pattern, put in (
        (rf"(?<!\w)[bBfFrRuU]{{0,2}}(?:{_QUOTED})(?!\w)", "<value>"),
        (r"(?<![\w+.-])[A-Za-z][A-Za-z0-9+.-]*+://[^\s'\"<>`]++", "<address>"),
        (r"(?<![\w+.-])[\w+.-]++@[\w-]++(?:\.[\w-]++)++", "<address>"),
        (r"(?<!\w)[A-Za-z]:[\\/][^\s'\"<>|,;]*+", "<path>"),
        (r"(?<![\w\\])\\\\[^\s'\"<>|,;]++", "<path>"),
        (r"(?<![\w<>/.~])(?:~|\.{1,2})?/[^\s'\"<>`,;:()\[\]{}]++", "<path>"),
        (r"(?<![\w./\\-])[\w.-]++(?:/[\w.-]++)*+", _path_or_words),
        (r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z])", "<id>"),
        (rf"(?<![\w.:])(?:{_DATE}(?:(?:[T ]|, | at ){_CLOCK})?(?: \d{{4}}\b)?|{_CLOCK})(?!\w)", "<time>"),
        (r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5}|/\d{1,2})?(?!\w)", "<address>"),
        (r"(?<![\w:])(?=:{0,2}[0-9a-fA-F])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])", "<address>"),
        (r"(?<!\w)0x[0-9a-fA-F]++", "<address>"),
        (r"(?<![\w.])[+-]?\d++(?:\.\d++)?[eE][+-]\d{1,3}(?!\w)", "<n>"),
        (r"(?<![^\W_])[^\W_]++(?:[_-][^\W_]++)*+", _id_or_word),
        (r"(?<![\w.])[+-]?\d++(?:[.,_]\d++)*+", "<n>"),
        (r"\d++(?:[.,]\d++)*+", "<n>"),
        (r"(<[a-z]+>)(?:[,;] ?\1)++", r"\1"),
    )
)
"""Each takes out one kind of thing; in this order, since a path may have a date in it and an address a number."""
