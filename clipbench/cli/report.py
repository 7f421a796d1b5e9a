"""`clipbench report`: what the store knows, as a table for people, papers and programs.

One command with several modes; each is a function of its own, and everything it does can be done from Python.
"""

from __future__ import annotations

from clipbench.cli import report_modes
from clipbench.cli.modes import mode, one_command
from clipbench.cli.report_options import ReportCommand, ReportFlags

MODES = (
    mode(report_modes.report_runs),
    mode(report_modes.report_page, "html"),
    mode(report_modes.report_comparison, "compare"),
    mode(report_modes.report_comparison_page, "compare", "html"),
    mode(report_modes.report_leaderboard, "leaderboard"),
    mode(report_modes.report_published, "anchors"),
    mode(report_modes.report_sweep, "sweep"),
    mode(report_modes.report_transfer, "transfer"),
    mode(report_modes.report_query, "query"),
)

report = one_command(
    MODES,
    ReportFlags,
    """Print stored runs with their metrics; CSV and JSON hold every metric with its interval.

    With --compare: is the difference between runs real? With --html: one page to read and pass on.
    Reads the store only: it never loads a model.
    """,
)

COMMAND = ReportCommand
"""What typer makes of it."""
