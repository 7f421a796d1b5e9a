"""The tables as SQLModel classes: names, columns and constraints of the newest schema revision.

Knows no SQL that runs: the schema itself is made by the revisions in `clipbench.migrations`, and a
test holds the two equal. Tables are named in the singular, views (`clipbench.store.views`) in the
plural. JSON is kept as text, a moment as ISO 8601 text in UTC, an array as a little-endian blob.

A finished thing has a parent row with a key and child rows below it (a dataset its images, a run its
metrics). Children are written first and the parent last, all in one transaction, which is why their
foreign keys are deferred: once the parent exists, nothing can be added (`clipbench.store.triggers`).
"""

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field

from clipbench.store.table_base import Row as Row  # noqa: PLC0414, said to be exported: migrations import it from here
from clipbench.store.table_base import parent, reference


class DatasetRow(Row, table=True):
    """One captioned collection, by content. Its children are `image` and `caption`."""

    __tablename__ = "dataset"
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    key: str = Field(sa_type=Text, unique=True)
    fingerprint: str = Field(sa_type=Text, index=True)
    name: str = Field(sa_type=Text)
    format: str = Field(sa_type=Text)
    split: str = Field(sa_type=Text)
    caption_policy: str = Field(sa_type=Text)
    image_folder: str | None = Field(sa_type=Text)
    n_images: int = Field(sa_type=Integer)
    n_captions: int = Field(sa_type=Integer)
    source: str = Field(sa_type=Text)
    created_at: str = Field(sa_type=Text)


class DatasetNameRow(Row, table=True):
    """What a name means today, and where its photographs were last seen.

    The same content may be read again from another place, so what can move (folder, paths, source) is
    here and not among the finished things. `paths` is null where it equals the paths of `image`.
    """

    __tablename__ = "dataset_name"
    name: str = Field(sa_type=Text, primary_key=True)
    dataset_id: int = Field(sa_column=reference("dataset", index=True))
    format: str = Field(sa_type=Text)
    image_folder: str | None = Field(sa_type=Text)
    paths: str | None = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
    named_at: str = Field(sa_type=Text)


class ImageRow(Row, table=True):
    """One image of a dataset; `position` counts from 0."""

    __tablename__ = "image"
    __table_args__ = ({"sqlite_with_rowid": False},)
    dataset_id: int = Field(sa_column=parent("dataset", primary=True))
    position: int = Field(sa_type=Integer, primary_key=True)
    image_id: str = Field(sa_type=Text)
    path: str | None = Field(sa_type=Text)
    digest: str | None = Field(sa_type=Text)
    problem: str | None = Field(sa_type=Text)


class CaptionRow(Row, table=True):
    """One caption of a dataset; `position` counts all captions from 0, image after image."""

    __tablename__ = "caption"
    __table_args__ = (
        ForeignKeyConstraint(
            ["dataset_id", "image_position"],
            ["image.dataset_id", "image.position"],
            ondelete="CASCADE",
            deferrable=True,
            initially="DEFERRED",
        ),
        Index(None, "dataset_id", "image_position"),
        {"sqlite_with_rowid": False},
    )
    dataset_id: int = Field(sa_column=parent("dataset", primary=True))
    position: int = Field(sa_type=Integer, primary_key=True)
    image_position: int = Field(sa_type=Integer)
    caption_id: str = Field(sa_type=Text)
    text: str = Field(sa_type=Text)


class DatasetColumnsRow(Row, table=True):
    """What a table said of a dataset's images besides captions: names of columns, and cells image by image, as JSON.

    No part of the dataset's content, so a newer row of the same dataset counts in place of an older one.
    """

    __tablename__ = "dataset_columns"
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    key: str = Field(sa_type=Text, unique=True)
    dataset_id: int = Field(sa_column=reference("dataset", index=True))
    names: str = Field(sa_type=Text)
    cells: str = Field(sa_type=Text)
    created_at: str = Field(sa_type=Text)


class EncoderRow(Row, table=True):
    """One encoder down to its weights; `identity` holds every field of EncoderIdentity."""

    __tablename__ = "encoder"
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    key: str = Field(sa_type=Text, unique=True)
    label: str = Field(sa_type=Text)
    spec: str = Field(sa_type=Text)
    dimension: int = Field(sa_type=Integer)
    identity: str = Field(sa_type=Text)
    created_at: str = Field(sa_type=Text)


class EncoderSignatureRow(Row, table=True):
    """A cheap description of model files that finds their encoder without loading them."""

    __tablename__ = "encoder_signature"
    signature: str = Field(sa_type=Text, primary_key=True)
    encoder_id: int = Field(sa_column=reference("encoder"))
    created_at: str = Field(sa_type=Text)


class PerturbationRow(Row, table=True):
    """One setting of one operation; clean data has a row too."""

    __tablename__ = "perturbation"
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    key: str = Field(sa_type=Text, unique=True)
    operation: str = Field(sa_type=Text)
    target: str = Field(sa_type=Text)
    level: float = Field(sa_type=Float)
    seed: int = Field(sa_type=Integer)
    parameters: str = Field(sa_type=Text)
    created_at: str = Field(sa_type=Text)


class VectorShardRow(Row, table=True):
    """One finished HDF5 file of vectors; `path` is relative to the embeddings folder, POSIX."""

    __tablename__ = "vector_shard"
    __table_args__ = (Index(None, "encoder_id", "modality"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    key: str = Field(sa_type=Text, unique=True)
    encoder_id: int = Field(sa_column=reference("encoder"))
    modality: str = Field(sa_type=Text)
    path: str = Field(sa_type=Text, unique=True)
    rows: int = Field(sa_type=Integer)
    dimension: int = Field(sa_type=Integer)
    checksum: str = Field(sa_type=Text)
    created_at: str = Field(sa_type=Text)


class EmbeddingSetRow(Row, table=True):
    """One modality of one dataset under one perturbation, encoded. Its child is `embedding_order`."""

    __tablename__ = "embedding_set"
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    key: str = Field(sa_type=Text, unique=True)
    dataset_id: int = Field(sa_column=reference("dataset", index=True))
    encoder_id: int = Field(sa_column=reference("encoder", index=True))
    perturbation_id: int = Field(sa_column=reference("perturbation"))
    modality: str = Field(sa_type=Text)
    rows: int = Field(sa_type=Integer)
    unique_items: int = Field(sa_type=Integer)
    truncated: int = Field(sa_type=Integer)
    n_unreadable: int = Field(sa_type=Integer)
    unreadable: str = Field(sa_type=Text)
    checksum: str = Field(sa_type=Text)
    seconds: float = Field(sa_type=Float)
    audit: str | None = Field(sa_type=Text)
    created_at: str = Field(sa_type=Text)


class EmbeddingOrderRow(Row, table=True):
    """The item keys of a set's rows in order, 16 bytes each, block after block from 0; blocks are of any size.

    Apart, so that listing sets stays quick; in blocks, since SQLite holds no value above 1e9 bytes.
    """

    __tablename__ = "embedding_order"
    embedding_set_id: int = Field(sa_column=parent("embedding_set", primary=True))
    block: int = Field(primary_key=True, sa_type=Integer)
    items: bytes = Field(sa_type=LargeBinary)


class RunRow(Row, table=True):
    """One evaluation. Its children are `ledger`, `shortlist` and `metric`.

    method is what turned two embedding sets into a ranking, JSON; '' for the plain product of vectors.
    n_images and n_texts are the gallery sizes of t2i and i2t, n_queries counts both directions.
    """

    __tablename__ = "run"
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    key: str = Field(sa_type=Text, unique=True)
    kind: str = Field(sa_type=Text)
    dataset_id: int = Field(sa_column=reference("dataset", index=True))
    encoder_id: int = Field(sa_column=reference("encoder", index=True))
    perturbation_id: int = Field(sa_column=reference("perturbation"))
    image_set_id: int = Field(sa_column=reference("embedding_set", "image_set_id", index=True))
    text_set_id: int = Field(sa_column=reference("embedding_set", "text_set_id", index=True))
    protocol: str = Field(sa_type=Text)
    metric_version: int = Field(sa_type=Integer)
    status: str = Field(sa_type=Text)
    n_images: int = Field(sa_type=Integer)
    n_texts: int = Field(sa_type=Integer)
    n_queries: int = Field(sa_type=Integer)
    command: str = Field(sa_type=Text)
    clipbench_version: str = Field(sa_type=Text)
    environment: str = Field(sa_type=Text)
    timings: str = Field(sa_type=Text)
    created_at: str = Field(sa_type=Text, index=True)
    method: str = Field(sa_type=Text, sa_column_kwargs={"server_default": ""})


class LedgerRow(Row, table=True):
    """Who was ranked where in one direction of a run: the arrays of `clipbench.records.Ledger`.

    depth is null where the whole ranking is known.
    """

    __tablename__ = "ledger"
    run_id: int = Field(sa_column=parent("run", primary=True))
    direction: str = Field(sa_type=Text, primary_key=True)
    gallery_size: int = Field(sa_type=Integer)
    queries: int = Field(sa_type=Integer)
    pairs: int = Field(sa_type=Integer)
    offsets: bytes = Field(sa_type=LargeBinary)
    positive: bytes = Field(sa_type=LargeBinary)
    above: bytes = Field(sa_type=LargeBinary)
    tied: bytes = Field(sa_type=LargeBinary)
    tied_positives: bytes = Field(sa_type=LargeBinary)
    top1: bytes = Field(sa_type=LargeBinary)
    positive_score: bytes = Field(sa_type=LargeBinary)
    negative_score: bytes = Field(sa_type=LargeBinary)
    cluster: bytes = Field(sa_type=LargeBinary)
    depth: int | None = Field(sa_type=Integer)


class ShortlistRow(Row, table=True):
    """The first `depth` items of every query of one direction of a run: `clipbench.records.Shortlist`."""

    __tablename__ = "shortlist"
    run_id: int = Field(sa_column=parent("run", primary=True))
    direction: str = Field(sa_type=Text, primary_key=True)
    depth: int = Field(sa_type=Integer)
    items: bytes = Field(sa_type=LargeBinary)
    scores: bytes = Field(sa_type=LargeBinary)


class MetricRow(Row, table=True):
    """One number of a run with its interval; `position` keeps the order in which they were given."""

    __tablename__ = "metric"
    __table_args__ = ({"sqlite_with_rowid": False},)
    run_id: int = Field(sa_column=parent("run", primary=True))
    direction: str = Field(sa_type=Text, primary_key=True)
    name: str = Field(sa_type=Text, primary_key=True)
    position: int = Field(sa_type=Integer)
    value: float = Field(sa_type=Float)
    low: float | None = Field(sa_type=Float)
    high: float | None = Field(sa_type=Float)
    n: int = Field(sa_type=Integer)
    method: str = Field(sa_type=Text)
    confidence: float | None = Field(sa_type=Float)


class TagRow(Row, table=True):
    """A word a person hung on a run; comes and goes as they like."""

    __tablename__ = "tag"
    __table_args__ = ({"sqlite_with_rowid": False},)
    tag: str = Field(sa_type=Text, primary_key=True)
    run_id: int = Field(
        sa_column=Column(
            "run_id",
            Integer,
            ForeignKey("run.id", ondelete="CASCADE"),
            primary_key=True,
            nullable=False,
            index=True,
        )
    )
    created_at: str = Field(sa_type=Text)


class SweepRow(Row, table=True):
    """A named list of runs that were asked for together; `request` says how."""

    __tablename__ = "sweep"
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    name: str = Field(sa_type=Text, unique=True)
    key: str = Field(sa_type=Text, index=True)
    request: str = Field(sa_type=Text)
    created_at: str = Field(sa_type=Text)


class SweepRunRow(Row, table=True):
    """One run of a sweep at its place in the list."""

    __tablename__ = "sweep_run"
    __table_args__ = (UniqueConstraint("sweep_id", "run_id"),)
    sweep_id: int = Field(
        sa_column=Column(
            "sweep_id", Integer, ForeignKey("sweep.id", ondelete="CASCADE"), primary_key=True, nullable=False
        )
    )
    position: int = Field(sa_type=Integer, primary_key=True)
    run_id: int = Field(
        sa_column=Column(
            "run_id", Integer, ForeignKey("run.id", ondelete="CASCADE"), nullable=False, index=True
        )
    )


class ItemTextRow(Row, table=True):
    """The text behind one item key, 16 bytes; of captions and of what perturbations made of them."""

    __tablename__ = "item_text"
    __table_args__ = ({"sqlite_with_rowid": False},)
    item: bytes = Field(sa_type=LargeBinary, primary_key=True)
    text: str = Field(sa_type=Text)


class ContentDigestRow(Row, table=True):
    """The digest of one row and its children, see `clipbench.store.digests`; '' while it is being written.

    row is the row's primary key as text.
    """

    __tablename__ = "content_digest"
    __table_args__ = (
        Index("ix_content_digest_digest", "digest", sqlite_where=text("digest = ''")),
        {"sqlite_with_rowid": False},
    )
    entity: str = Field(sa_type=Text, primary_key=True)
    row: str = Field(sa_type=Text, primary_key=True)
    digest: str = Field(sa_type=Text)


class DeletionRow(Row, table=True):
    """Leave to delete one finished thing: (table, row id). Empty outside of a deleting transaction."""

    __tablename__ = "deletion"
    __table_args__ = ({"sqlite_with_rowid": False},)
    entity: str = Field(sa_type=Text, primary_key=True)
    row_id: int = Field(sa_type=Integer, primary_key=True)


# The same tables for Core statements, which is how everything is written and read.
dataset = Row.metadata.tables["dataset"]
dataset_name = Row.metadata.tables["dataset_name"]
image = Row.metadata.tables["image"]
caption = Row.metadata.tables["caption"]
dataset_columns = Row.metadata.tables["dataset_columns"]
encoder = Row.metadata.tables["encoder"]
encoder_signature = Row.metadata.tables["encoder_signature"]
perturbation = Row.metadata.tables["perturbation"]
vector_shard = Row.metadata.tables["vector_shard"]
embedding_set = Row.metadata.tables["embedding_set"]
embedding_order = Row.metadata.tables["embedding_order"]
run = Row.metadata.tables["run"]
ledger = Row.metadata.tables["ledger"]
shortlist = Row.metadata.tables["shortlist"]
metric = Row.metadata.tables["metric"]
tag = Row.metadata.tables["tag"]
sweep = Row.metadata.tables["sweep"]
sweep_run = Row.metadata.tables["sweep_run"]
item_text = Row.metadata.tables["item_text"]
content_digest = Row.metadata.tables["content_digest"]
deletion = Row.metadata.tables["deletion"]
