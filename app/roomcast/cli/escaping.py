"""What others have written, made fit to be shown: it can neither move a cursor nor turn a line around."""

import unicodedata

# Marks that reorder what stands beside them, so that a line reads as what it is not (CVE-2021-42574).
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Controls; separators that some programs take for the end of a line; halves of a character.
_UNSHOWN = frozenset({"Cc", "Zl", "Zp", "Cs"})


def printable(text: str) -> str:
    r"""Return the text on one line, with what is no character to look at written as ``\n``, ``\x1b`` or ``\u202e``.

    A backslash stays as it is, so that JSON does: whoever has to tell an escape from
    what was sent reads ``--json``.
    """
    if text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character in _REORDERING or unicodedata.category(character) in _UNSHOWN:
        return character.encode("unicode_escape").decode("ascii")
    return character
