"""Views: what a person or a notebook reads with SQL. Tables are singular, views are plural.

Knows how the tables join and computes no metric: every number is one that was stored. `VIEWS` is the
documentation too: each has its SQL, what it is for, and what every column means.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import Connection


class View(NamedTuple):
    """One view: its SELECT, what one row is, and the meaning of every column in order."""

    sql: str
    description: str
    columns: Mapping[str, str]


# A dataset's name is what points at it today, of several the one given last. Content whose name moved on
# keeps the old name with a piece of its key behind it, so two collections never show under one name.
_NEWEST_NAME = """(SELECT dataset_name.name FROM dataset_name WHERE dataset_name.dataset_id = dataset.id
        ORDER BY dataset_name.named_at DESC, dataset_name.name LIMIT 1)"""
_OLD_NAME = "dataset.name || '@' || substr(dataset.key, 9, 8)"
_DATASET = f"""coalesce(
      {_NEWEST_NAME},
      {_OLD_NAME}
    )"""
# A run keeps the name it was asked for under, as long as that means the same content.
_RUNS_DATASET = f"""coalesce(
      (SELECT dataset_name.name FROM dataset_name WHERE dataset_name.dataset_id = dataset.id
        AND dataset_name.name = json_extract(run.environment, '$.dataset_name')),
      {_NEWEST_NAME},
      {_OLD_NAME}
    )"""  # noqa: S608, our own names


def _metric(direction: str, name: str) -> str:
    return (
        "(SELECT metric.value FROM metric WHERE metric.run_id = run.id"  # noqa: S608, our own names
        f" AND metric.direction = '{direction}' AND metric.name = '{name}')"
    )


_RUNS = View(
    f"""SELECT
    run.key AS run,
    run.kind AS kind,
    {_RUNS_DATASET} AS dataset,
    dataset.key AS dataset_key,
    dataset.fingerprint AS fingerprint,
    encoder.label AS model,
    encoder.spec AS model_spec,
    encoder.key AS encoder_key,
    perturbation.operation AS operation,
    perturbation.target AS target,
    perturbation.level AS level,
    perturbation.seed AS seed,
    json_extract(perturbation.parameters, '$.rewrites.label') AS label,
    json_extract(run.protocol, '$.fold') AS fold,
    json_extract(run.protocol, '$.ties') AS tie_policy,
    json_extract(run.protocol, '$.positives') AS positives,
    (SELECT group_concat(value, ' ') FROM json_each(run.protocol, '$.directions')) AS directions,
    (SELECT group_concat(value, ' ') FROM json_each(run.protocol, '$.ks')) AS cutoffs,
    run.protocol AS protocol,
    run.method AS method,
    (SELECT group_concat(tag.tag, ' ') FROM tag WHERE tag.run_id = run.id) AS tags,
    {_metric("t2i", "hit@1")} AS t2i_hit1,
    {_metric("t2i", "hit@5")} AS t2i_hit5,
    {_metric("t2i", "hit@10")} AS t2i_hit10,
    {_metric("i2t", "hit@1")} AS i2t_hit1,
    {_metric("i2t", "hit@5")} AS i2t_hit5,
    {_metric("i2t", "hit@10")} AS i2t_hit10,
    {_metric("both", "rsum")} AS rsum,
    run.n_images AS n_images,
    run.n_texts AS n_texts,
    run.n_queries AS n_queries,
    run.metric_version AS metric_version,
    run.clipbench_version AS clipbench_version,
    run.command AS command,
    run.created_at AS created_at,
    run.id AS number
  FROM run
  JOIN dataset ON dataset.id = run.dataset_id
  JOIN encoder ON encoder.id = run.encoder_id
  JOIN perturbation ON perturbation.id = run.perturbation_id""",  # noqa: S608, our own names
    "One row per run, with the headline numbers side by side.",
    {
        "run": "key of the run",
        "kind": "what kind of evaluation it was",
        "dataset": "name under which it was run, else the newest; name@key where that has moved to other content",
        "dataset_key": "key of the dataset, image bytes included",
        "fingerprint": "fingerprint of the dataset: runs compare where it is equal",
        "model": "label of the encoder",
        "model_spec": "what --model said",
        "encoder_key": "key of the encoder, weights included",
        "operation": "operation of the perturbation, 'clean' for none",
        "target": "what was perturbed: none, text or image",
        "level": "rate in 0..1 (text) or severity 1..5 (image)",
        "seed": "seed of the perturbation",
        "label": "what a set of rewritten captions is called, null for other perturbations",
        "fold": "images per gallery where the numbers are means over such folds, null for one gallery",
        "tie_policy": "how equal scores count: expected, optimistic or pessimistic",
        "positives": "what counts as right: own, or equal-captions (--duplicate-aware)",
        "directions": "directions that were ranked, with a space between",
        "cutoffs": "the K of R@K, with a space between",
        "protocol": "all of how it was scored, JSON: resamples, seed and confidence of intervals too",
        "method": "what turned the vectors into a ranking, JSON; empty for their plain product",
        "tags": "tags with a space between, null for none",
        "t2i_hit1": "share of captions whose image is first, 0..1",
        "t2i_hit5": "share of captions whose image is among the first 5",
        "t2i_hit10": "share of captions whose image is among the first 10",
        "i2t_hit1": "share of images with a caption of theirs first",
        "i2t_hit5": "share of images with a caption of theirs among the first 5",
        "i2t_hit10": "share of images with a caption of theirs among the first 10",
        "rsum": "100 times the sum of the six, at most 600",
        "n_images": "gallery size of t2i",
        "n_texts": "gallery size of i2t",
        "n_queries": "queries of all directions together",
        "metric_version": "version of the metric definitions",
        "clipbench_version": "version of clipbench that made the run",
        "command": "the command that made the run",
        "created_at": "when the run was stored, UTC",
        "number": "grows in the order of storing",
    },
)

_METRICS = View(
    f"""SELECT
    run.key AS run,
    {_RUNS_DATASET} AS dataset,
    encoder.label AS model,
    perturbation.operation AS operation,
    perturbation.level AS level,
    perturbation.seed AS seed,
    metric.direction AS direction,
    metric.name AS name,
    metric.value AS value,
    metric.low AS low,
    metric.high AS high,
    metric.n AS n,
    metric.method AS method,
    metric.confidence AS confidence,
    metric.position AS position
  FROM metric
  JOIN run ON run.id = metric.run_id
  JOIN dataset ON dataset.id = run.dataset_id
  JOIN encoder ON encoder.id = run.encoder_id
  JOIN perturbation ON perturbation.id = run.perturbation_id""",  # noqa: S608, our own names
    "One row per number: every metric of every run, in long form.",
    {
        "run": "key of the run",
        "dataset": "name of the dataset, as in runs",
        "model": "label of the encoder",
        "operation": "operation of the perturbation",
        "level": "its level",
        "seed": "its seed",
        "direction": "t2i, i2t or both",
        "name": "name of the metric",
        "value": "its value, in the unit of its definition",
        "low": "lower bound of the interval, null where there is none",
        "high": "upper bound of the interval, null where there is none",
        "n": "queries counted",
        "method": "how the interval was made",
        "confidence": "confidence of the interval, .95 say; null where there is none",
        "position": "place of the metric in its run's table",
    },
)

_DATASETS = View(
    """SELECT
    dataset_name.name AS name,
    dataset.key AS dataset_key,
    dataset.fingerprint AS fingerprint,
    coalesce(dataset_name.format, dataset.format) AS format,
    dataset.split AS split,
    dataset.caption_policy AS caption_policy,
    dataset.n_images AS n_images,
    dataset.n_captions AS n_captions,
    (SELECT count(*) FROM image
      WHERE image.dataset_id = dataset.id AND image.problem IS NOT NULL) AS n_problems,
    (SELECT count(*) FROM run WHERE run.dataset_id = dataset.id) AS n_runs,
    CASE WHEN dataset_name.name IS NULL THEN dataset.image_folder
      ELSE dataset_name.image_folder END AS image_folder,
    dataset.name AS first_name,
    dataset.created_at AS created_at
  FROM dataset LEFT JOIN dataset_name ON dataset_name.dataset_id = dataset.id""",
    "One row per dataset name, and one for content that no name points at any more.",
    {
        "name": "name, null where it has moved to other content",
        "dataset_key": "key, image bytes included",
        "fingerprint": "fingerprint of ids, texts, split and caption policy",
        "format": "format it was read from",
        "split": "split of the collection",
        "caption_policy": "all, first5 or first<N>",
        "n_images": "images",
        "n_captions": "captions",
        "n_problems": "images with a problem (missing, unreadable)",
        "n_runs": "runs on this content",
        "image_folder": "folder of the photographs, null for none",
        "first_name": "name under which it was first stored",
        "created_at": "when it was first stored, UTC",
    },
)

_CAPTIONS_OF = View(
    """SELECT
    dataset_name.name AS dataset,
    image.position AS image,
    image.image_id AS image_id,
    image.path AS path,
    image.problem AS problem,
    caption.position AS caption,
    caption.caption_id AS caption_id,
    caption.text AS text
  FROM dataset_name
  JOIN image ON image.dataset_id = dataset_name.dataset_id
  LEFT JOIN caption ON caption.dataset_id = image.dataset_id AND caption.image_position = image.position""",
    "One row per caption of a named dataset, and one for an image without captions.",
    {
        "dataset": "name of the dataset",
        "image": "position of the image, from 0",
        "image_id": "id of the image",
        "path": "path of the image inside the image folder",
        "problem": "what is wrong with the image, null for nothing",
        "caption": "position of the caption, from 0; null for none",
        "caption_id": "id of the caption",
        "text": "the caption",
    },
)

_EMBEDDINGS = View(
    f"""SELECT
    embedding_set.key AS embedding_set,
    {_DATASET} AS dataset,
    dataset.key AS dataset_key,
    encoder.label AS model,
    encoder.key AS encoder_key,
    perturbation.operation AS operation,
    perturbation.level AS level,
    perturbation.seed AS seed,
    embedding_set.modality AS modality,
    embedding_set.rows AS rows,
    encoder.dimension AS dimension,
    embedding_set.unique_items AS unique_items,
    embedding_set.truncated AS truncated,
    embedding_set.n_unreadable AS unreadable,
    embedding_set.seconds AS seconds,
    (SELECT count(*) FROM run
      WHERE run.image_set_id = embedding_set.id OR run.text_set_id = embedding_set.id) AS n_runs,
    embedding_set.created_at AS created_at
  FROM embedding_set
  JOIN dataset ON dataset.id = embedding_set.dataset_id
  JOIN encoder ON encoder.id = embedding_set.encoder_id
  JOIN perturbation ON perturbation.id = embedding_set.perturbation_id""",  # noqa: S608, our own names
    "One row per embedding set: one modality of one dataset under one setting, encoded.",
    {
        "embedding_set": "key of the set",
        "dataset": "name of the dataset, the newest of several; name@key as in runs",
        "dataset_key": "key of the dataset",
        "model": "label of the encoder",
        "encoder_key": "key of the encoder",
        "operation": "operation of the perturbation",
        "level": "its level",
        "seed": "its seed",
        "modality": "image or text",
        "rows": "vectors in the set",
        "dimension": "length of a vector",
        "unique_items": "different items among them, each encoded once",
        "truncated": "texts cut at the context length",
        "unreadable": "items left out because they cannot be read",
        "seconds": "time spent encoding",
        "n_runs": "runs that use the set",
        "created_at": "when it was stored, UTC",
    },
)

_ANNOTATIONS = View(
    f"""SELECT
    {_DATASET} AS dataset,
    failure.key AS item,
    failure.direction AS direction,
    failure.caption_id AS caption_id,
    (SELECT caption.text FROM caption
      WHERE caption.dataset_id = failure.dataset_id AND caption.position = failure.caption) AS text,
    failure.image_id AS image_id,
    failure.retrieved_id AS retrieved_id,
    annotator.name AS annotator,
    annotator.kind AS kind,
    annotation.category AS category,
    annotation.subtype AS subtype,
    annotation.raw_category AS raw_category,
    annotation.raw_subtype AS raw_subtype,
    annotation.rules AS rules,
    annotation.note AS note,
    annotation_source.name AS source,
    annotation.line AS line,
    annotation.id = (SELECT max(newer.id) FROM annotation AS newer
      WHERE newer.annotator_id = annotation.annotator_id
        AND newer.failure_id = annotation.failure_id) AS newest,
    annotation.created_at AS created_at,
    annotation.id AS number
  FROM annotation
  JOIN failure ON failure.id = annotation.failure_id
  JOIN dataset ON dataset.id = failure.dataset_id
  JOIN annotator ON annotator.id = annotation.annotator_id
  JOIN annotation_source ON annotation_source.id = annotation.annotation_source_id""",  # noqa: S608, our own names
    "One row per label that anybody gave a failure; of an annotator's labels the one with newest = 1 counts.",
    {
        "dataset": "name of the dataset, the newest of several; name@key as in runs",
        "item": "key of the failure",
        "direction": "t2i or i2t",
        "caption_id": "id of the caption",
        "text": "the caption",
        "image_id": "id of the caption's own image",
        "retrieved_id": "id of the image that the caption found (t2i), or that found the caption (i2t)",
        "annotator": "who gave the label",
        "kind": "person, adjudicator or simulated",
        "category": "the label as understood, null where it was taken back",
        "subtype": "subtype of Ambiguous, null for none",
        "raw_category": "the label as written",
        "raw_subtype": "the subtype as written",
        "rules": "how the written label was recognised, JSON",
        "note": "the annotator's note",
        "source": "file or sitting it came from",
        "line": "line in that file, 0 for none",
        "newest": "1 where this annotator gave this failure no later label",
        "created_at": "when it was stored, UTC",
        "number": "grows in the order of storing",
    },
)

VIEWS: Mapping[str, View] = MappingProxyType(
    {
        "runs": _RUNS,
        "metrics": _METRICS,
        "datasets": _DATASETS,
        "captions_of": _CAPTIONS_OF,
        "embeddings": _EMBEDDINGS,
        "annotations": _ANNOTATIONS,
    }
)
"""Every view by name."""


def create_views(connection: Connection) -> None:
    """Make the views, replacing those of the same names."""
    drop_views(connection)
    for name in VIEWS:
        connection.exec_driver_sql(statement(name))


def statement(name: str) -> str:
    """Return the statement that makes a view, which SQLite keeps as it is."""
    return f"CREATE VIEW {name} AS\n  {VIEWS[name].sql}"


def drop_views(connection: Connection) -> None:
    """Take our views away, as an upgrade must before it rebuilds a table they read."""
    for name in VIEWS:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
