"""Progress bars for the terminal, with a rate column."""

from __future__ import annotations

from rich.progress import MofNCompleteColumn, ProgressColumn, Task, TaskID, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from clipbench.study.workplace.progress import RUNS, WHOLE


class RateColumn(ProgressColumn):
    """Items per second, averaged as rich does it."""

    def render(self, task: Task) -> Text:
        """Return the rate of a task."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s")


class CountColumn(MofNCompleteColumn):
    """How many of how many, or the share of a whole whose units mean nothing to people."""

    def render(self, task: Task) -> Text:
        """Return what is done of a task."""
        return Text(f"{task.percentage:.0f} %") if task.description == WHOLE else super().render(task)


class LeftColumn(TimeRemainingColumn):
    """The time that is left, nothing for runs: some take no work and some take hours."""

    def render(self, task: Task) -> Text:
        """Return the time that is left of a task."""
        return Text("") if task.description == RUNS else super().render(task)


class RichProgress:
    """The study's progress, drawn by rich: one bar per label."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    def start(self, label: str, total: int) -> int:
        """Open a bar and return its number."""
        return self._bars.add_task(label, total=total, words="")

    def advance(self, bar: int, count: int = 1) -> None:
        """Move a bar on."""
        self._bars.advance(TaskID(bar), count)

    def say(self, bar: int, words: str) -> None:
        """Write the words behind a bar."""
        self._bars.update(TaskID(bar), words=words)
