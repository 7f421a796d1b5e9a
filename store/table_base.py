"""What all tables share: one metadata, names of indexes, and the two kinds of foreign keys.

Knows no table. See `clipbench.store.tables` for how parents and children are written.
"""

from typing import ClassVar

from sqlalchemy import Column, ForeignKey, Integer, MetaData
from sqlmodel import SQLModel

NAMES = {"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"}


class Row(SQLModel):
    """What every table shares: metadata of its own, apart from other users of SQLModel."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMES)
    # Rows are written and read by Core statements; none is validated by pydantic, which need not prepare for it.
    model_config = {"defer_build": True}


def parent(name: str, *, primary: bool = False) -> Column[int]:
    """Return a column that points at a parent which is written after its children."""
    key = ForeignKey(f"{name}.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED")
    return Column(f"{name}_id", Integer, key, primary_key=primary, nullable=False)


def reference(name: str, column: str = "", *, index: bool = False) -> Column[int]:
    """Return a column that points at something stored before."""
    return Column(column or f"{name}_id", Integer, ForeignKey(f"{name}.id"), nullable=False, index=index)
