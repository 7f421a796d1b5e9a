"""The tables of failures, samples, assignments and labels, as `clipbench.store.tables` has the others.

A label never changes: a newer one is added and counts instead. Labels and samples outlive the run that
they were drawn from, so a run is named by its key and not pointed at.
"""

from sqlalchemy import Float, Index, Integer, Text, UniqueConstraint
from sqlmodel import Field

from clipbench.store.table_base import Row, parent, reference


class FailureRow(Row, table=True):
    """One thing that went wrong, by content: which query of which dataset found what instead of its own.

    caption_id, image_id: the caption and its own image. retrieved_id: the image that the caption found
    (t2i), or that found the caption (i2t). The positions count captions and images of the dataset from 0.
    """

    __tablename__ = "failure"
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    key: str = Field(sa_type=Text, unique=True)
    dataset_id: int = Field(sa_column=reference("dataset", index=True))
    direction: str = Field(sa_type=Text)
    caption_id: str = Field(sa_type=Text)
    image_id: str = Field(sa_type=Text)
    retrieved_id: str = Field(sa_type=Text)
    caption: int = Field(sa_type=Integer)
    image: int = Field(sa_type=Integer)
    retrieved: int = Field(sa_type=Integer)
    created_at: str = Field(sa_type=Text)


class FailureSampleRow(Row, table=True):
    """Failures drawn from one run. Its child is `failure_sample_item`.

    run: key of the run, which may be deleted while the sample and its labels stay. strata: name,
    population and drawn of each. population: failures there were.
    """

    __tablename__ = "failure_sample"
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    key: str = Field(sa_type=Text, unique=True)
    dataset_id: int = Field(sa_column=reference("dataset", index=True))
    run: str = Field(sa_type=Text)
    direction: str = Field(sa_type=Text)
    request: str = Field(sa_type=Text)
    strata: str = Field(sa_type=Text)
    population: int = Field(sa_type=Integer)
    created_at: str = Field(sa_type=Text)


class FailureSampleItemRow(Row, table=True):
    """One drawn failure, or one success beside it (role "control"), as the run scored it."""

    __tablename__ = "failure_sample_item"
    __table_args__ = ({"sqlite_with_rowid": False},)
    failure_sample_id: int = Field(sa_column=parent("failure_sample", primary=True))
    position: int = Field(sa_type=Integer, primary_key=True)
    failure_id: int = Field(sa_column=reference("failure", index=True))
    role: str = Field(sa_type=Text)
    stratum: str = Field(sa_type=Text)
    rank: float = Field(sa_type=Float)
    positive_score: float = Field(sa_type=Float)
    negative_score: float = Field(sa_type=Float)


class AssignmentRow(Row, table=True):
    """Who labels which failures of a sample. Its child is `assignment_item`."""

    __tablename__ = "assignment"
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    key: str = Field(sa_type=Text, unique=True)
    failure_sample_id: int = Field(sa_column=reference("failure_sample", index=True))
    request: str = Field(sa_type=Text)
    created_at: str = Field(sa_type=Text)


class AssignmentItemRow(Row, table=True):
    """One failure of one part: "overlap", "backup" or an annotator's name.

    swapped: with blind pictures, whether the caption's own picture stands on the right.
    """

    __tablename__ = "assignment_item"
    __table_args__ = ({"sqlite_with_rowid": False},)
    assignment_id: int = Field(sa_column=parent("assignment", primary=True))
    part: str = Field(sa_type=Text, primary_key=True)
    position: int = Field(sa_type=Integer, primary_key=True)
    failure_id: int = Field(sa_column=reference("failure"))
    swapped: bool = Field(sa_type=Integer)


class AnnotatorRow(Row, table=True):
    """Somebody who labels. kind: "person", "adjudicator" (decides conflicts) or "simulated"."""

    __tablename__ = "annotator"
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    name: str = Field(sa_type=Text, unique=True)
    kind: str = Field(sa_type=Text)
    created_at: str = Field(sa_type=Text)


class AnnotationSourceRow(Row, table=True):
    """Where labels came from: one file that was imported, or one sitting at the page.

    digest: of the file's bytes, null for a sitting.
    """

    __tablename__ = "annotation_source"
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    kind: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    digest: str | None = Field(sa_type=Text, index=True)
    created_at: str = Field(sa_type=Text)


class AnnotationRow(Row, table=True):
    """One label that somebody gave, as written and as understood. The newest of an annotator counts.

    category null takes the annotator's label back. rules: how the written label was recognised, JSON.
    line: in the source file, 0 for none.
    """

    __tablename__ = "annotation"
    __table_args__ = (Index(None, "annotator_id", "failure_id"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    failure_id: int = Field(sa_column=reference("failure", index=True))
    annotator_id: int = Field(sa_column=reference("annotator"))
    annotation_source_id: int = Field(sa_column=reference("annotation_source", index=True))
    category: str | None = Field(sa_type=Text)
    subtype: str | None = Field(sa_type=Text)
    raw_category: str = Field(sa_type=Text)
    raw_subtype: str = Field(sa_type=Text)
    rules: str = Field(sa_type=Text)
    note: str = Field(sa_type=Text)
    line: int = Field(sa_type=Integer)
    created_at: str = Field(sa_type=Text)


class SuggestionRow(Row, table=True):
    """A hint at a failure's reason, with the rule that found it; never a label."""

    __tablename__ = "suggestion"
    __table_args__ = (UniqueConstraint("failure_id", "rule", "detail"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    failure_id: int = Field(sa_column=reference("failure"))
    rule: str = Field(sa_type=Text)
    category: str = Field(sa_type=Text)
    subtype: str | None = Field(sa_type=Text)
    detail: str = Field(sa_type=Text)
    score: float | None = Field(sa_type=Float)
    created_at: str = Field(sa_type=Text)


failure = Row.metadata.tables["failure"]
failure_sample = Row.metadata.tables["failure_sample"]
failure_sample_item = Row.metadata.tables["failure_sample_item"]
assignment = Row.metadata.tables["assignment"]
assignment_item = Row.metadata.tables["assignment_item"]
annotator = Row.metadata.tables["annotator"]
annotation_source = Row.metadata.tables["annotation_source"]
annotation = Row.metadata.tables["annotation"]
suggestion = Row.metadata.tables["suggestion"]
