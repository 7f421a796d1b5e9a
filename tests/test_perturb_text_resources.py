"""What text operations draw upon besides the caption: rewrites, templates, synonyms; and the record of it."""

from dataclasses import replace

import pytest

from clipbench.errors import ClipbenchError, InputError
from clipbench.perturb.apply_text import perturb_captions, text_perturbation
from clipbench.perturb.registry import text_operation
from clipbench.perturb.resources import DEFAULT_TEMPLATE, Rewrites, TextResources
from clipbench.records import Caption

CAPTIONS = tuple(Caption(f"{n}.jpg#0", f"A dog sees {n} cats .") for n in range(3))


def test_missing_and_blank_rewrites_are_all_listed() -> None:
    rewrites = Rewrites("formal", {"0.jpg#0": "A dark hound runs.", "1.jpg#0": " "})
    with pytest.raises(InputError) as caught:
        perturb_captions(CAPTIONS, text_operation("rewrite"), 1, 42, TextResources(rewrites=rewrites))
    assert [problem.message for problem in caught.value.problems] == [
        "the rewrite of caption 1.jpg#0 is blank",
        "caption 2.jpg#0 has no rewrite",
    ]
    with pytest.raises(ClipbenchError, match="none was given"):
        perturb_captions(CAPTIONS, text_operation("rewrite"), 1, 42)


@pytest.mark.parametrize(("template", "places"), [("a photo", 0), ("{} and {}", 2)])
def test_a_template_has_one_place_for_the_caption(template: str, places: int) -> None:
    with pytest.raises(ClipbenchError, match=f"has {places} places"):
        TextResources(template=template)


def test_the_record_of_a_setting_names_the_data_it_draws_upon() -> None:
    clean = TextResources()
    keyboard, synonym, prompt = map(text_operation, ("keyboard", "synonym", "prompt-template"))
    assert text_perturbation(keyboard, 0.2, 42).parameters == {"version": 1}
    assert text_perturbation(synonym, 0.2, 42).parameters["synonyms"] == {"source": "table", "version": 2}
    other = replace(clean, template="{} in a photo")
    keys = {text_perturbation(prompt, 1.0, 42, one).key for one in (clean, other)}
    assert len(keys) == 2
    assert text_perturbation(prompt, 1.0, 42, clean).parameters["template"] == DEFAULT_TEMPLATE
    a, b = (TextResources(rewrites=Rewrites("x", {"1": text})) for text in ("a", "b"))
    rewrite = text_operation("rewrite")
    assert text_perturbation(rewrite, 1.0, 0, a).key != text_perturbation(rewrite, 1.0, 0, b).key
