"""Adapters in the store: trained heads with their record and log, found by request, by name or by key.

Knows weights as bytes and records as JSON; knows no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, insert, select

from clipbench.errors import StoreError
from clipbench.keys import Json, short
from clipbench.store import adapter_tables, clock, tables
from clipbench.store.columns import json_in, json_out
from clipbench.store.engine import Store, reading, writing
from clipbench.store.rows import delete_final, need_id, next_id

SHOWN = 8
"""Adapters that a message names, the newest."""


@dataclass(frozen=True)
class AdapterRecord:
    """An adapter as it is stored, without its weights.

    key: of what it is. request: key of the training that was asked for. encoder, base: keys of the adapted
    encoder and of the one it stands on. record: how it was trained and on what. log: one entry an epoch.
    """

    key: str
    request: str
    name: str
    encoder: str
    base: str
    record: Mapping[str, Json]
    log: Sequence[Mapping[str, Any]]
    created_at: datetime | None = None


def save_adapter(store: Store, adapter: AdapterRecord, weights: bytes) -> AdapterRecord:
    """Store an adapter, and return it as it is stored; one with the same key is kept as it is.

    Raises StoreError where the name means another adapter, or one of its encoders is not stored.
    """
    check_adapter_name(adapter.name)
    with writing(store) as connection:
        same = connection.execute(
            _adapters().where(adapter_tables.adapter.c.key == adapter.key)
        ).one_or_none()
        if same is not None:
            return _stored(same)
        taken = connection.execute(select(adapter_tables.adapter.c.key).filter_by(name=adapter.name)).scalar()
        if taken is not None:
            raise StoreError(
                f"the name {adapter.name!r} means another adapter ({short(taken)})",
                "--name takes a new one; clipbench adapt list",
            )
        connection.execute(
            insert(adapter_tables.adapter),
            {
                "id": next_id(connection, adapter_tables.adapter),
                "key": adapter.key,
                "request": adapter.request,
                "name": adapter.name,
                "encoder_id": need_id(connection, tables.encoder, adapter.encoder),
                "base_id": need_id(connection, tables.encoder, adapter.base),
                "record": json_in(adapter.record),
                "log": json_in(list(adapter.log)),
                "weights": weights,
                "created_at": clock.stamp(),
            },
        )
        return _stored(
            connection.execute(_adapters().where(adapter_tables.adapter.c.key == adapter.key)).one()
        )


def check_adapter_name(name: str) -> None:
    """Raise StoreError for a name that is not one printable word without a colon."""
    if not name or not name.isprintable() or len(name.split()) != 1 or name.strip() != name or ":" in name:
        raise StoreError(f"{name!r} cannot name an adapter: it is one word without a colon", "--name NAME")


def find_by_request(store: Store, request: str) -> AdapterRecord | None:
    """Return the adapter that came of a request (by key), None where there is none."""
    with reading(store) as connection:
        row = connection.execute(_adapters().where(adapter_tables.adapter.c.request == request)).one_or_none()
    return None if row is None else _stored(row)


def list_adapters(store: Store) -> tuple[AdapterRecord, ...]:
    """Return all adapters, the first stored first."""
    with reading(store) as connection:
        return tuple(
            _stored(row) for row in connection.execute(_adapters().order_by(adapter_tables.adapter.c.id))
        )


def load_adapter(store: Store, word: str) -> AdapterRecord:
    """Return the adapter of this name, or whose key begins so.

    Raises StoreError where there is none, or several begin so.
    """
    known = list_adapters(store)
    named = [one for one in known if one.name == word]
    named = named or [one for one in known if word and short(one.key, 40).startswith(word.rpartition(":")[2])]
    if len(named) == 1:
        return named[0]
    if named:
        raise StoreError(f"{word!r} begins the keys of {len(named)} adapters", "clipbench adapt list")
    more = ", ..." if len(known) > SHOWN else ""
    names = ", ".join(one.name for one in known[-SHOWN:]) + more or "none"
    raise StoreError(f"there is no adapter {word!r}; there are: {names}", "clipbench adapt list")


def load_weights(store: Store, key: str) -> bytes:
    """Return the weights of an adapter (by key) as the bytes of a safetensors file. Raises StoreError."""
    with reading(store) as connection:
        weights = connection.execute(select(adapter_tables.adapter.c.weights).filter_by(key=key)).scalar()
    if weights is None:
        raise StoreError(f"adapter {key} is not in the store", "clipbench adapt list")
    return bytes(weights)


def delete_adapter(store: Store, key: str) -> None:
    """Delete an adapter (by key); its vectors and runs stay, as those of an encoder do."""
    with writing(store) as connection:
        delete_final(connection, adapter_tables.adapter, need_id(connection, adapter_tables.adapter, key))


def _adapters() -> Select[Any]:
    encoder, base = tables.encoder.alias(), tables.encoder.alias()
    return (
        select(
            *(column for column in adapter_tables.adapter.c if column.name != "weights"),
            encoder.c.key.label("encoder"),
            base.c.key.label("base"),
        )
        .join(encoder, encoder.c.id == adapter_tables.adapter.c.encoder_id)
        .join(base, base.c.id == adapter_tables.adapter.c.base_id)
    )


def _stored(row: Row[Any]) -> AdapterRecord:
    return AdapterRecord(
        row.key,
        row.request,
        row.name,
        row.encoder,
        row.base,
        json_out(row.record),
        json_out(row.log),
        clock.moment(row.created_at),
    )
