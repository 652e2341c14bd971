"""When two spellings are the same words."""

from __future__ import annotations

import re
import unicodedata

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_SEPARATORS = re.compile(r"[\W_]+")


def fold(text: str) -> str:
    """Reduce a wording to what identifies it.

    Case, accents, punctuation and white space go; ä, ö, ü, ß are written ae, oe, ue, ss;
    the British -aemia is the American -emia. Words are run together, because reports
    write "T-wave", "T wave" and "Twave", "pre-excitation" and "preexcitation". Singular
    and plural stay apart.

    Parameters
    ----------
    text
        A name, synonym or code.

    Returns
    -------
    str
        Letters and digits, lower case; empty if the text has none.

    Examples
    --------
    >>> fold("Links-Schenkelblock") == fold("linksschenkelblock")
    True
    >>> fold("Ischämie"), fold("ischaemia"), fold("ischemia")
    ('ischemie', 'ischemia', 'ischemia')
    """
    text = text.casefold()
    if not text.isascii():
        # Composed first, so that "a" with a combining diaeresis is an umlaut too.
        text = unicodedata.normalize("NFKC", text).casefold().translate(_UMLAUTS)
        decomposed = unicodedata.normalize("NFD", text)
        text = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return _SEPARATORS.sub("", text).replace("aemi", "emi")
