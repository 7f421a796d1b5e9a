"""The texts that were encoded, perturbed ones included: each string once, under its item key.

A text is written only under the key that it has, so what is read is never another text than was encoded.
Stores of before revision 0003 hold none: captions are then looked up in the datasets, and kept from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert as upsert

from clipbench.records import text_key
from clipbench.store import tables
from clipbench.store.columns import text_in, text_out
from clipbench.store.engine import Store, reading, writing

ASKED = 500
"""Keys of one question; SQLite allows a thousand or more."""


def texts_of(store: Store, keys: Sequence[bytes]) -> dict[bytes, str]:
    """Return the text of every item key that is known to be one; what is not known is left out.

    Captions of stored datasets are known even where nothing was kept when they were encoded.
    """
    wanted = dict.fromkeys(keys)
    with reading(store) as connection:
        known = _kept(connection, list(wanted))
        captions = _captions(connection, wanted.keys() - known.keys())
    if captions and store.source is None:  # a store that is only read is asked again each time
        with writing(store) as connection:
            keep_texts(connection, captions)
    return {key: text for key in wanted if (text := known.get(key, captions.get(key))) is not None}


def keep_texts(connection: Connection, texts: Mapping[bytes, str]) -> None:
    """Keep texts by their item keys, each once. Raises ValueError for a text that has another key."""
    wrong = next((text for key, text in texts.items() if text_key(text) != key), None)
    if wrong is not None:
        raise ValueError(f"{wrong[:60]!r} does not have the item key it was to be kept under")
    rows = [{"item": key, "text": text_in(text)} for key, text in texts.items()]
    if rows:
        connection.execute(upsert(tables.item_text).on_conflict_do_nothing(), rows)


def keyed_texts(texts: Iterable[str]) -> dict[bytes, str]:
    """Return texts by their item keys."""
    return {text_key(text): text for text in texts}


def _kept(connection: Connection, keys: Sequence[bytes]) -> dict[bytes, str]:
    table = tables.item_text.c
    found: dict[bytes, str] = {}
    for start in range(0, len(keys), ASKED):
        some = keys[start : start + ASKED]
        rows = connection.execute(select(table.item, table.text).where(table.item.in_(some)))
        found |= {item: text_out(text) for item, text in rows}
    return found


def _captions(connection: Connection, lacking: Iterable[bytes]) -> dict[bytes, str]:
    """Return those of the keys that are captions' with their texts."""
    wanted = set(lacking)
    found: dict[bytes, str] = {}
    if not wanted:
        return found
    for (stored,) in connection.execute(select(tables.caption.c.text).distinct()):
        text = text_out(stored)
        key = text_key(text)
        if key in wanted:
            found[key] = text
            if len(found) == len(wanted):
                break
    return found
