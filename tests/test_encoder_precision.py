"""Devices and number formats: the best device there is, and a word where the processor is slow at it."""

from typing import Any

import pytest
import torch

from clipbench.encoders import precision


@pytest.mark.parametrize("cuda", [True, False])
def test_auto_takes_the_best_device_there_is(monkeypatch: pytest.MonkeyPatch, *, cuda: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert precision.resolve_device("auto") == ("cuda" if cuda else "cpu")


@pytest.mark.parametrize(
    ("kind", "flags", "told"),
    [
        ("bf16", frozenset({"avx2"}), "4 times slower"),
        ("bf16", frozenset({"avx512_bf16"}), None),
        ("bf16", frozenset({"amx_bf16"}), None),
        ("fp16", frozenset({"avx512_bf16"}), "4 times slower"),
        ("bf16", None, "unless"),
        ("fp32", frozenset(), None),
    ],
)
def test_a_precision_the_processor_lacks_is_told(
    monkeypatch: pytest.MonkeyPatch, kind: Any, flags: frozenset[str] | None, told: str | None
) -> None:
    monkeypatch.setattr(precision, "cpu_flags", lambda: flags)
    notes = precision.precision_notes(kind, "cpu")
    assert len(notes) == (told is not None)
    assert told is None or told in notes[0]
    assert precision.precision_notes(kind, "cuda") == ()
