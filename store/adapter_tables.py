"""The table of adapters as an SQLModel class; `tables` says how such classes are to be read."""

from sqlalchemy import Integer, LargeBinary, Text
from sqlmodel import Field

from clipbench.store.table_base import Row, reference


class AdapterRow(Row, table=True):
    """Heads trained on an encoder's vectors: together with that encoder (`base_id`) they are `encoder_id`.

    key: of what it is, trained weights included. request: key of what was asked for, so that the same training
    is found. weights: a safetensors file, small enough to be a blob.
    """

    __tablename__ = "adapter"
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    key: str = Field(sa_type=Text, unique=True)
    request: str = Field(sa_type=Text, unique=True)
    name: str = Field(sa_type=Text, unique=True)
    encoder_id: int = Field(sa_column=reference("encoder"))
    base_id: int = Field(sa_column=reference("encoder", "base_id"))
    record: str = Field(sa_type=Text)
    log: str = Field(sa_type=Text)
    weights: bytes = Field(sa_type=LargeBinary)
    created_at: str = Field(sa_type=Text)


adapter = Row.metadata.tables["adapter"]
