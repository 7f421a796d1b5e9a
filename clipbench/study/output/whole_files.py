"""Files for the user, written whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clipbench.errors import ClipbenchError


@contextmanager
def whole_file(out: Path, *, force: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `out` to write to; it becomes `out` where the block ends well.

    Raises ClipbenchError where `out` exists and `force` is False, or it cannot be written.
    """
    if out.is_dir():
        raise ClipbenchError(f"{out} is a folder", "--out names a file")
    if out.exists() and not force:
        raise ClipbenchError(f"{out} exists", "--force overwrites it, --out names another file")
    partial = out.with_name(f".{out.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        partial.replace(out)
    except OSError as error:
        if not out.parent.is_dir():
            raise ClipbenchError(
                f"cannot write {out}: there is no folder {out.parent}", f"mkdir -p {out.parent}"
            ) from error
        raise ClipbenchError(
            f"cannot write {out}: {error.strerror or error}", "--out names another place"
        ) from error
    finally:
        with suppress(OSError):  # the folder may be no folder
            partial.unlink(missing_ok=True)
