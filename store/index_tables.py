"""The table of indexes as an SQLModel class; `tables` says how such classes are to be read."""

from sqlalchemy import Float, Integer, Text
from sqlmodel import Field

from clipbench.store.table_base import Row, reference


class VectorIndexRow(Row, table=True):
    """One index of an embedding set's vectors; its file, if it has one, is named by the key.

    build: the parameters, JSON. library: version of what built it. block: rows that were added at a time, 0 where
    that cannot matter. vectors: checksum of the matrix. items: digest of the ids in the index's own order.
    checksum: SHA-256 of the file, null for none. place: where it is kept outside of the store, null for inside.
    """

    __tablename__ = "vector_index"
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    key: str = Field(sa_type=Text, unique=True)
    name: str = Field(sa_type=Text, unique=True)
    embedding_set_id: int = Field(sa_column=reference("embedding_set", index=True))
    type: str = Field(sa_type=Text)
    build: str = Field(sa_type=Text)
    library: str = Field(sa_type=Text)
    block: int = Field(sa_type=Integer)
    vectors: str = Field(sa_type=Text)
    rows: int = Field(sa_type=Integer)
    items: str = Field(sa_type=Text)
    checksum: str | None = Field(sa_type=Text)
    bytes: int = Field(sa_type=Integer)
    seconds: float = Field(sa_type=Float)
    place: str | None = Field(sa_type=Text)
    created_at: str = Field(sa_type=Text)


vector_index = Row.metadata.tables["vector_index"]
