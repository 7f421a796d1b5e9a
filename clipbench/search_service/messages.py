"""What is asked of the service and what it answers, as pydantic models: the whole of the API's vocabulary.

Strict: a number in quotes is no number, an unknown member is told. No float is NaN or infinite, in or out.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

LONGEST_TEXT = 2_000
MOST_TEXTS = 64
MOST_WITHOUT = 8
LARGEST_TOP = 1_000
LONGEST_WHERE = 4_000
LARGEST_WEIGHT = 100.0

Text: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT, pattern=r"\S")]
Top: TypeAlias = Annotated[int, Field(ge=1, le=LARGEST_TOP, description="How many results.")]
Where: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_WHERE),
    Field(description="Only photographs whose columns fulfil this: `color = 'Red' AND price < 20`."),
]
Weight: TypeAlias = Annotated[float, Field(gt=0, le=LARGEST_WEIGHT, description="How much it counts.")]
ItemId: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class TextSearch(_Strict):
    """A search by words, by a photograph of the gallery, or by both."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "a red circle above a blue square", "top": 5},
                {"text": "a green star", "without": ["a square"], "top": 3},
            ]
        }
    )

    text: Annotated[Text | None, Field(description="What the photographs shall show.")] = None
    like: Annotated[ItemId | None, Field(description="Id of a photograph they shall be like.")] = None
    without: Annotated[
        tuple[Text, ...],
        Field(max_length=MOST_WITHOUT, strict=False, description="What they shall not show."),
    ] = ()
    top: Top = 10
    where: Where | None = None
    text_weight: Weight = 1.0
    like_weight: Weight = 1.0

    @model_validator(mode="after")
    def _says_something(self) -> TextSearch:
        if self.text is None and self.like is None:
            raise ValueError("give text, like, or both")
        return self


class ImageSearch(_Strict):
    """The fields beside the picture of a search by picture; numbers come as text in a form."""

    model_config = ConfigDict(strict=False)

    text: Text | None = None
    without: Annotated[tuple[Text, ...], Field(max_length=MOST_WITHOUT)] = ()
    top: Top = 10
    where: Where | None = None
    text_weight: Weight = 1.0
    image_weight: Weight = 1.0


class TextEncoding(_Strict):
    """Texts to encode."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"texts": ["a red circle", "two squares"]}]})

    texts: Annotated[tuple[Text, ...], Field(min_length=1, max_length=MOST_TEXTS, strict=False)]


class _Answer(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False, frozen=True)


class FoundPhotograph(_Answer):
    """One result. score: cosine with the query. gap: how far below the first. percentile: share of the gallery below."""

    rank: int
    score: float
    gap: float
    percentile: float | None
    id: str
    caption: str | None
    path: str | None
    picture: Annotated[str | None, Field(description="Address of its picture, from the service's root.")]


class SearchAnswer(_Answer):
    """What was found, best first, and among what."""

    hits: tuple[FoundPhotograph, ...]
    searched: Annotated[int, Field(description="Photographs looked among, after the filter.")]
    gallery: Annotated[int, Field(description="Photographs there are.")]
    dataset: str
    model: str
    truncated: Annotated[bool, Field(description="Whether the model read only the beginning of a text.")]
    seconds: Annotated[float, Field(description="From the request's arrival to its answer.")]


class EncodingAnswer(_Answer):
    """Unit vectors, one for each text or picture, in order."""

    model: str
    dimension: int
    vectors: tuple[tuple[float, ...], ...]
    truncated: tuple[bool, ...]


class ItemAnswer(_Answer):
    """A photograph of the gallery."""

    id: str
    captions: tuple[str, ...]
    path: str | None
    picture: str | None
    columns: dict[str, str]


class ReloadAnswer(_Answer):
    """What is served now. changed: whether it is another than before."""

    dataset: str
    gallery: int
    key: str
    changed: bool


class Health(_Answer):
    """Whether the service runs, or can answer."""

    status: Literal["ok", "starting", "draining", "stopped"]


class BatchStats(_Answer):
    """Batches of one kind of work. largest: the batch beyond which an item gets no cheaper here."""

    batches: int
    items: int
    mean_items: float
    mean_seconds: float
    largest: int


class Stats(_Answer):
    """What the service serves, and how it fares. Latencies are of the last thousand answers, in seconds."""

    version: str
    model: str
    encoder: str
    device: str
    dataset: str
    dataset_key: str
    gallery: int
    columns: tuple[str, ...]
    index: str
    loaded_at: str
    uptime: float
    requests: int
    refused: int
    p50: float | None
    p95: float | None
    p99: float | None
    waiting: int
    cached_queries: int
    cache_hits: int
    cache_misses: int
    batches: dict[str, BatchStats]


class ProblemAnswer(BaseModel):
    """A refusal as RFC 9457 has it, with a word for programs."""

    type: str
    title: str
    status: int
    detail: str
    code: str
