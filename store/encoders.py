"""Encoders in the store: what each is, and the cheap signatures that find one without loading it.

Knows identities as records; knows no torch and no model file.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from clipbench.errors import StoreError
from clipbench.records import EncoderIdentity
from clipbench.store import clock, tables
from clipbench.store.columns import json_in, json_out
from clipbench.store.engine import Store, reading, writing
from clipbench.store.rows import find_id, next_id

_FIELDS = tuple(field.name for field in fields(EncoderIdentity))


@dataclass(frozen=True, slots=True)
class StoredEncoder:
    """An encoder that is stored, as it was first described, and when that was."""

    key: str
    identity: EncoderIdentity
    created_at: datetime


def save_encoder(store: Store, identity: EncoderIdentity, signature: str | None) -> str:
    """Store an encoder unless it is there, let `signature` find it from now on, and return its key.

    A signature that found another encoder before finds this one now.
    """
    key = identity.key
    with writing(store) as connection:
        row = find_id(connection, tables.encoder, key)
        if row is None:
            row = next_id(connection, tables.encoder)
            described = {name: getattr(identity, name) for name in _FIELDS}
            connection.execute(
                insert(tables.encoder),
                {
                    "id": row,
                    "key": key,
                    "label": identity.label,
                    "spec": identity.spec,
                    "dimension": identity.dimension,
                    "identity": json_in(described),
                    "created_at": clock.stamp(),
                },
            )
        if signature is not None:
            values = {"encoder_id": row, "created_at": clock.stamp()}
            statement = upsert(tables.encoder_signature).values(signature=signature, **values)
            connection.execute(statement.on_conflict_do_update(index_elements=["signature"], set_=values))
    return key


def find_encoder(store: Store, signature: str) -> EncoderIdentity | None:
    """Return the encoder this signature was saved with, None where there is none."""
    query = (
        select(tables.encoder)
        .join(tables.encoder_signature)
        .where(tables.encoder_signature.c.signature == signature)
    )
    with reading(store) as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else _stored(row).identity


def load_encoder(store: Store, key: str) -> EncoderIdentity:
    """Return the encoder with this key. Raises StoreError where there is none."""
    with reading(store) as connection:
        row = connection.execute(select(tables.encoder).filter_by(key=key)).one_or_none()
    if row is None:
        raise StoreError(f"encoder {key} is not in the store", "clipbench store info")
    return _stored(row).identity


def list_encoders(store: Store) -> tuple[StoredEncoder, ...]:
    """Return all encoders, the first stored first."""
    with reading(store) as connection:
        return tuple(_stored(row) for row in connection.execute(select(tables.encoder).order_by("id")))


def _stored(row: Row[Any]) -> StoredEncoder:
    return StoredEncoder(row.key, EncoderIdentity(**json_out(row.identity)), clock.moment(row.created_at))
