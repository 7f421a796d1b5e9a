"""What a search found as one HTML page, pictures inside: nothing is loaded, nothing runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clipbench.reports.html.pictures import Shot
from clipbench.reports.html.rendering import rendered
from clipbench.reports.searching.tables import hit_table, nothing, score_notes, title
from clipbench.reports.searching.thumbnails import Thumbnail, data_uri, thumbnails
from clipbench.study.output.whole_files import whole_file
from clipbench.study.searching.asking import Found, Place
from clipbench.study.workplace.environment import command_line

SIDE = 480
"""Pixels of a picture's longer side; a click enlarges it to about as many."""


def write_search_page(place: Place, found: Found, out: Path, *, force: bool = False) -> int:
    """Write what was found to `out`, and return how many photographs could not be shown.

    Raises ClipbenchError where `out` exists and `force` is False, or cannot be written.
    """
    with whole_file(out, force=force) as path:
        shown = thumbnails(place, found.result.hits, SIDE)
        text = rendered("search.html", {"page": page_values(found, shown, _command(place.secret))})
        path.write_text(text, encoding="utf-8", newline="\n")
    return sum(one.picture is None for one in shown)


def page_values(found: Found, shown: tuple[Thumbnail, ...], command: str) -> Mapping[str, object]:
    """Return what the template shows."""
    return {
        "title": found.asked.in_words,
        "lead": title(found).removeprefix(found.asked.in_words).removeprefix(", "),
        "notes": (*score_notes(found), *found.notes),
        "empty": nothing(found) if not shown else "",
        "cards": [(one.hit, _shot(one)) for one in shown],
        "table": hit_table(found),
        "command": command,
    }


def _command(secret: str | None) -> str:
    """Return what was typed, without the key of a service: pages are passed on."""
    return command_line() if secret is None else command_line().replace(secret, "…")


def _shot(one: Thumbnail) -> Shot:
    source = None if one.picture is None else data_uri(one.picture)
    return Shot(one.hit.id, one.hit.caption or "found photograph", source=source, problem=one.problem)
