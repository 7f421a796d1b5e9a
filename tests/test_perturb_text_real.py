"""Real captions: operations reach them, and the audit says by how much."""

from pathlib import Path

import pytest

from clipbench.perturb.apply_text import perturb_captions
from clipbench.perturb.audit import audit
from clipbench.perturb.operation import TextOperation
from clipbench.perturb.registry import text_operation
from clipbench.perturb.text_operations import TEXT_OPERATIONS
from clipbench.records import Caption

pytestmark = pytest.mark.shared

EVERYWHERE = [one for one in TEXT_OPERATIONS if one.family in ("char", "char-extra", "word")]


@pytest.fixture(scope="module")
def captions(shared: Path) -> tuple[Caption, ...]:
    lines = (shared / "data" / "flickr8k" / "Flickr8k.token.txt").read_text(encoding="utf-8").splitlines()
    return tuple(Caption(*line.split("\t", 1)) for line in lines[::30])


@pytest.mark.parametrize("one", EVERYWHERE, ids=lambda one: one.name)
def test_nearly_every_real_caption_is_changed_at_the_lowest_level(
    one: TextOperation, captions: tuple[Caption, ...]
) -> None:
    after = perturb_captions(captions, one, one.levels[0], 42)
    found = audit(zip((caption.text for caption in captions), after, strict=True))
    assert found.captions == len(captions) > 1300
    # Dropout at .1 leaves a caption of n words whole with probability .9^n, .28 at the mean of 12 words.
    assert found.changed_rate is not None
    assert found.changed_rate >= (0.6 if one.name == "word-dropout" else 0.97)


@pytest.mark.parametrize("level", [0.1, 0.3, 0.5])
def test_dropout_has_the_word_error_rate_of_its_level(level: float, captions: tuple[Caption, ...]) -> None:
    after = perturb_captions(captions, text_operation("word-dropout"), level, 42)
    found = audit(zip((caption.text for caption in captions), after, strict=True))
    # About 16,000 words: standard deviation of the share below .004.
    assert found.word_error_rate == pytest.approx(level, abs=5 * 0.004)
