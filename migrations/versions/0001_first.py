"""The first schema: datasets, encoders, perturbations, vectors, runs, tags and sweeps.

Revision ID: 0001
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _inputs()
    _vectors()
    _runs()
    _lists()


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _int(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def _float(name: str, *, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Float, nullable=nullable)


def _blob(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def _id_and_key(table: str) -> list[sa.schema.SchemaItem]:
    return [
        _int("id"),
        _text("key"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key", name=f"uq_{table}_key"),
    ]


def _of_parent(*columns: str, parent: tuple[str, ...]) -> sa.ForeignKeyConstraint:
    """Return the link of child rows, which are written before their parent and go with it."""
    return sa.ForeignKeyConstraint(columns, parent, ondelete="CASCADE", deferrable=True, initially="DEFERRED")


def _inputs() -> None:
    op.create_table(
        "dataset",
        *_id_and_key("dataset"),
        _text("fingerprint"),
        _text("name"),
        _text("format"),
        _text("split"),
        _text("caption_policy"),
        _text("image_folder", nullable=True),
        _int("n_images"),
        _int("n_captions"),
        _text("source"),
        _text("created_at"),
    )
    op.create_index("ix_dataset_fingerprint", "dataset", ["fingerprint"])
    op.create_table(
        "dataset_name",
        _text("name"),
        _int("dataset_id"),
        _text("format"),
        _text("image_folder", nullable=True),
        _text("paths", nullable=True),
        _text("source"),
        _text("named_at"),
        sa.PrimaryKeyConstraint("name"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"]),
    )
    op.create_index("ix_dataset_name_dataset_id", "dataset_name", ["dataset_id"])
    op.create_table(
        "image",
        _int("dataset_id"),
        _int("position"),
        _text("image_id"),
        _text("path", nullable=True),
        _text("digest", nullable=True),
        _text("problem", nullable=True),
        sa.PrimaryKeyConstraint("dataset_id", "position"),
        _of_parent("dataset_id", parent=("dataset.id",)),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "caption",
        _int("dataset_id"),
        _int("position"),
        _int("image_position"),
        _text("caption_id"),
        _text("text"),
        sa.PrimaryKeyConstraint("dataset_id", "position"),
        _of_parent("dataset_id", "image_position", parent=("image.dataset_id", "image.position")),
        _of_parent("dataset_id", parent=("dataset.id",)),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_caption_dataset_id_image_position", "caption", ["dataset_id", "image_position"])
    op.create_table(
        "encoder",
        *_id_and_key("encoder"),
        _text("label"),
        _text("spec"),
        _int("dimension"),
        _text("identity"),
        _text("created_at"),
    )
    op.create_table(
        "encoder_signature",
        _text("signature"),
        _int("encoder_id"),
        _text("created_at"),
        sa.PrimaryKeyConstraint("signature"),
        sa.ForeignKeyConstraint(["encoder_id"], ["encoder.id"]),
    )
    op.create_table(
        "perturbation",
        *_id_and_key("perturbation"),
        _text("operation"),
        _text("target"),
        _float("level"),
        _int("seed"),
        _text("parameters"),
        _text("created_at"),
    )


def _vectors() -> None:
    op.create_table(
        "vector_shard",
        *_id_and_key("vector_shard"),
        _int("encoder_id"),
        _text("modality"),
        _text("path"),
        _int("rows"),
        _int("dimension"),
        _text("checksum"),
        _text("created_at"),
        sa.UniqueConstraint("path", name="uq_vector_shard_path"),
        sa.ForeignKeyConstraint(["encoder_id"], ["encoder.id"]),
    )
    op.create_index("ix_vector_shard_encoder_id_modality", "vector_shard", ["encoder_id", "modality"])
    op.create_table(
        "embedding_set",
        *_id_and_key("embedding_set"),
        _int("dataset_id"),
        _int("encoder_id"),
        _int("perturbation_id"),
        _text("modality"),
        _int("rows"),
        _int("unique_items"),
        _int("truncated"),
        _int("n_unreadable"),
        _text("unreadable"),
        _text("checksum"),
        _float("seconds"),
        _text("audit", nullable=True),
        _text("created_at"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"]),
        sa.ForeignKeyConstraint(["encoder_id"], ["encoder.id"]),
        sa.ForeignKeyConstraint(["perturbation_id"], ["perturbation.id"]),
    )
    op.create_index("ix_embedding_set_dataset_id", "embedding_set", ["dataset_id"])
    op.create_index("ix_embedding_set_encoder_id", "embedding_set", ["encoder_id"])
    op.create_table(
        "embedding_order",
        _int("embedding_set_id"),
        _blob("items"),
        sa.PrimaryKeyConstraint("embedding_set_id"),
        _of_parent("embedding_set_id", parent=("embedding_set.id",)),
    )


def _runs() -> None:
    op.create_table(
        "run",
        *_id_and_key("run"),
        _text("kind"),
        _int("dataset_id"),
        _int("encoder_id"),
        _int("perturbation_id"),
        _int("image_set_id"),
        _int("text_set_id"),
        _text("protocol"),
        _int("metric_version"),
        _text("status"),
        _int("n_images"),
        _int("n_texts"),
        _int("n_queries"),
        _text("command"),
        _text("clipbench_version"),
        _text("environment"),
        _text("timings"),
        _text("created_at"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"]),
        sa.ForeignKeyConstraint(["encoder_id"], ["encoder.id"]),
        sa.ForeignKeyConstraint(["perturbation_id"], ["perturbation.id"]),
        sa.ForeignKeyConstraint(["image_set_id"], ["embedding_set.id"]),
        sa.ForeignKeyConstraint(["text_set_id"], ["embedding_set.id"]),
    )
    for column in ("created_at", "dataset_id", "encoder_id", "image_set_id", "text_set_id"):
        op.create_index(f"ix_run_{column}", "run", [column])
    arrays = ("offsets", "positive", "above", "tied", "tied_positives", "top1")
    op.create_table(
        "ledger",
        _int("run_id"),
        _text("direction"),
        _int("gallery_size"),
        _int("queries"),
        _int("pairs"),
        *(_blob(name) for name in (*arrays, "positive_score", "negative_score", "cluster")),
        sa.PrimaryKeyConstraint("run_id", "direction"),
        _of_parent("run_id", parent=("run.id",)),
    )
    op.create_table(
        "metric",
        _int("run_id"),
        _text("direction"),
        _text("name"),
        _int("position"),
        _float("value"),
        _float("low", nullable=True),
        _float("high", nullable=True),
        _int("n"),
        _text("method"),
        _float("confidence", nullable=True),
        sa.PrimaryKeyConstraint("run_id", "direction", "name"),
        _of_parent("run_id", parent=("run.id",)),
        sqlite_with_rowid=False,
    )


def _lists() -> None:
    op.create_table(
        "tag",
        _text("tag"),
        _int("run_id"),
        _text("created_at"),
        sa.PrimaryKeyConstraint("tag", "run_id"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tag_run_id", "tag", ["run_id"])
    op.create_table(
        "sweep",
        _int("id"),
        _text("name"),
        _text("key"),
        _text("request"),
        _text("created_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", name="uq_sweep_name"),
    )
    op.create_index("ix_sweep_key", "sweep", ["key"])
    op.create_table(
        "sweep_run",
        _int("sweep_id"),
        _int("position"),
        _int("run_id"),
        sa.PrimaryKeyConstraint("sweep_id", "position"),
        sa.UniqueConstraint("sweep_id", "run_id", name="uq_sweep_run_sweep_id_run_id"),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweep.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_sweep_run_run_id", "sweep_run", ["run_id"])
    op.create_table(
        "deletion",
        _text("entity"),
        _int("row_id"),
        sa.PrimaryKeyConstraint("entity", "row_id"),
        sqlite_with_rowid=False,
    )
