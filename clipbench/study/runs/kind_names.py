"""What the kinds of runs are called where they are stored; `run_kinds` says what each of them means."""

from __future__ import annotations

EVALUATE, ROBUSTNESS = "evaluate", "robustness"
"""The kinds that rank a dataset itself, as it is and under a perturbation."""

GALLERY_SIZE, DISTRACTORS, FOOLING = "gallery-size", "distractors", "fooling"
"""The kinds of a gallery under stress."""

SAMPLED = "sampled"
"""The kind that ranks random parts of a gallery and estimates the whole."""

ESTIMATED = " sampled"
"""Ends the name of a metric that is an estimate of the whole gallery's."""
