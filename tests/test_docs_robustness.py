"""The page on robustness lists the operations that there are."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import operation_pages

from clipbench.perturb.presets import PRESETS
from clipbench.perturb.registry import operations


def test_the_tables_of_operations_are_the_registrys() -> None:
    assert operation_pages.found() == operation_pages.wanted(), "python tests/operation_pages.py --write"


def test_every_operation_and_preset_is_in_them_once() -> None:
    rows = [
        line.split("|")[1].strip() for line in operation_pages.wanted().splitlines() if line.startswith("| ")
    ]
    for one in (*operations(), *PRESETS):
        assert rows.count(one.name) == 1
