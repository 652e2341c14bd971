"""Whether two reports call the same recording by the same name."""

from __future__ import annotations

import numpy as np

from ecgscreen.compare.screening import Screening
from ecgscreen.errors import NotComparableError

_OPTION = "--pseudonymise-paths"
_ADVICE = (
    f"Compare two with names (scan without {_OPTION}: what is scored is kept), or two whose ids "
    "one and the same screening has given."
)


def check_names(old: Screening, new: Screening) -> None:
    """Refuse two screenings of which nobody can say which recordings are the same.

    Names match names, and ids match ids of the same key (`ecgscreen.pseudonyms`). With anything
    else every recording of the one would have vanished and every one of the other appeared. There
    is nothing else to tell recordings by: a hash of what was read is in the store, not in a
    report, where who has a recording could find it again.

    Parameters
    ----------
    old, new
        The screenings; one without recordings goes with any other.

    Raises
    ------
    NotComparableError
        If one has names and the other ids, or their ids are of different keys, or may be.
    """
    if not old.n_records or not new.n_records:
        return
    keys = (old.pseudonyms, new.pseudonyms)
    if None not in keys and keys[0] == keys[1]:
        return
    if "" in keys:
        named, hidden = (old, new) if keys[0] == "" else (new, old)
        found = f"{named.path} has the names of recordings, {hidden.path} ids in their place"
    elif None not in keys:
        found = f"{old.path} and {new.path} have ids of different keys in the place of names"
    elif len(np.intersect1d(old.ids, new.ids, assume_unique=True)):
        return
    else:
        found = f"{old.path} and {new.path} have ids in the place of names, and none in common"
    raise NotComparableError(
        f"{found} ({_OPTION}; each screening has a key of its own): which recordings are the same "
        "cannot be told",
        _ADVICE,
    )
