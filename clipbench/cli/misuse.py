"""A command line that is run, or only read, within this process: what it was typed wrong is an error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from clipbench.errors import ClipbenchError


@contextmanager
def misuse(hint: str) -> Iterator[None]:
    """Turn a wrong option or value inside into a ClipbenchError with this hint; all else passes.

    Typer has a copy of click of its own, whose errors have no public name: they are known by what they can do.
    """
    try:
        yield
    except ClipbenchError:
        raise
    except Exception as error:
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        raise ClipbenchError(message(), hint) from error
