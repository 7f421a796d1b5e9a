"""The one clock of the store, and how a moment is written.

Everything that stamps a row asks `clock.now()`, so a test fixes time in one place. A moment is kept
as ISO 8601 text in UTC of fixed width, so text order is time order.
"""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime | None = None) -> str:
    """Return `moment` (the present one by default) as it is stored.

    >>> stamp(datetime(2024, 5, 1, 12, tzinfo=UTC))
    '2024-05-01T12:00:00.000000Z'

    Raises ValueError for a moment without a time zone.
    """
    moment = now() if moment is None else moment
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """Return the moment that `stamp` wrote."""
    return datetime.fromisoformat(text)
