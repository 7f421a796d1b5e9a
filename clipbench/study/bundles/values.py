"""Plain values of a bundle's JSON as pydantic types: each is looked at before a store or a screen has to hold it.

What a key covers is checked by its key, and still may be what no database takes: half a character, a number
of a thousand digits, the year 0. Knows nothing of what a value is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

LARGEST = 2**63 - 1
"""The largest number of a database's column."""

LONGEST, LONGEST_NAME = 1 << 16, 1000
"""Most characters of words and of a name."""

FIRST, LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


class Told(BaseModel):
    """A JSON object of a bundle: no value is converted, and fields of a later version are passed over."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


def _printable(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("is no name")
    return value


def _moment(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _on_a_clock(value: datetime) -> datetime:
    if value.tzinfo is None or not FIRST <= value <= LAST:
        raise ValueError("is no moment of a clock with a time zone")
    return value


def _plain(value: Any) -> Any:
    """Return a JSON value whose texts and numbers are fit to be stored, all the way down."""
    if isinstance(value, dict):
        for key, inner in value.items():
            WORDS.validate_python(key)
            _plain(inner)
    elif isinstance(value, list):
        for inner in value:
            _plain(inner)
    elif isinstance(value, str):
        WORDS.validate_python(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        WHOLES.validate_python(value)
    elif isinstance(value, float):
        NUMBERS.validate_python(value)
    return value


# A text with half a character is no `str` to pydantic; ids may be such, for they are names of files.
Text: TypeAlias = InstanceOf[str]
Words: TypeAlias = Annotated[str, StringConstraints(strict=True, max_length=LONGEST)]
Name: TypeAlias = Annotated[str, StringConstraints(max_length=LONGEST_NAME), AfterValidator(_printable)]
Checksum: TypeAlias = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Number: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole: TypeAlias = Annotated[int, Field(strict=True, ge=-LARGEST, le=LARGEST)]
Count: TypeAlias = Annotated[Whole, Field(ge=0)]
Moment: TypeAlias = Annotated[datetime, AfterValidator(_on_a_clock), BeforeValidator(_moment)]
Object: TypeAlias = Mapping[str, Any]
Plain: TypeAlias = Annotated[dict[str, Any], AfterValidator(_plain)]

WORDS: TypeAdapter[str] = TypeAdapter(Words)
WHOLES: TypeAdapter[int] = TypeAdapter(Whole)
NUMBERS: TypeAdapter[float] = TypeAdapter(Number)


def checked(model: type[M], told: Any) -> M:
    """Return a JSON object as a model. Raises ValueError with everything that is wrong with it, in one line."""
    try:
        return model.model_validate(told)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        said = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".lstrip(": ") for fault in faults[:3]]
        more = f"; and {len(faults) - 3:,} more" if len(faults) > 3 else ""
        raise ValueError(f"is not what it should be ({'; '.join(said)}{more})") from error


def read(made: Callable[[Any], T], told: Any) -> T:
    """Return what `made` makes of a JSON value. Raises ValueError for whatever is wrong with it."""
    try:
        return made(told)
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"is not what it should be ({error})") from error


def same_key(found: T, content: str, key: str) -> T:
    """Return `found`, whose content has the key `content`. Raises ValueError where it goes by another."""
    if content != key:
        raise ValueError(f"goes by {key[:60]}, its content is {content}")
    return found
