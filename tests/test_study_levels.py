"""The words of a command line become operations and levels, or one clear sentence."""

import pytest

from clipbench.errors import ClipbenchError
from clipbench.perturb.registry import image_operation, text_operation
from clipbench.study.robustness.levels import levels_of, selections
from clipbench.study.robustness.settings import SweepRequest, settings


def levels(
    *words: str, rates: str | None = None, severities: str | None = None
) -> dict[str, tuple[float, ...]]:
    found = selections(
        words, levels_of(rates) if rates else None, levels_of(severities) if severities else None
    )
    return {one.operation.name: one.levels for one in found}


def test_a_range_has_both_ends() -> None:
    assert levels_of("0:0.5:0.1") == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert levels_of("1:5:2") == (1.0, 3.0, 5.0)


@pytest.mark.parametrize(
    "word", ["", "a", "0:1", "0:1:0", "0:1:-1", "1:0:0.5", "0:1:0.1,2", "nan", "0:1:1e-9"]
)
def test_what_names_no_levels_is_refused(word: str) -> None:
    with pytest.raises(ClipbenchError, match="names no levels"):
        levels_of(word)


def test_operations_have_their_own_levels_where_none_are_given() -> None:
    assert levels("keyboard,jpeg") == {
        "keyboard": text_operation("keyboard").levels,
        "jpeg": image_operation("jpeg").levels,
    }


def test_one_list_never_means_rates_and_severities_at_once() -> None:
    with pytest.raises(ClipbenchError, match="cannot serve both") as refused:
        levels("keyboard", "jpeg", rates="0.1,0.3")
    assert "--severities" in str(refused.value.hint)


def test_rates_and_severities_go_to_their_own_kind() -> None:
    found = levels("keyboard", "jpeg", rates="0.1,0.3", severities="1,5")
    assert found == {"keyboard": (0.1, 0.3), "jpeg": (1.0, 5.0)}


def test_severities_alone_leave_rates_as_they_are() -> None:
    found = levels("keyboard", "jpeg", severities="2")
    assert found == {"keyboard": text_operation("keyboard").levels, "jpeg": (2.0,)}


def test_levels_of_photographs_alone_are_severities() -> None:
    assert levels("jpeg", rates="0:5:1")["jpeg"] == (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)


@pytest.mark.parametrize("word", ["2.5", "6", "-1", "0.3"])
def test_a_severity_is_a_whole_number_that_the_operation_has(word: str) -> None:
    with pytest.raises(ClipbenchError, match="jpeg has the severities 1, 2, 3, 4, 5, not"):
        levels("jpeg", rates=word)


def test_a_rate_is_between_zero_and_one() -> None:
    with pytest.raises(ClipbenchError, match="a rate is between 0 and 1, not 3"):
        levels("keyboard", rates="3")


def test_an_operation_with_one_setting_keeps_it_beside_others() -> None:
    assert levels("word-dropout", "word-shuffle", rates="0.3") == {
        "word-dropout": (0.3,),
        "word-shuffle": (1.0,),
    }
    assert levels("family:image-geometric", rates="1,3")["flip"] == (1.0,)


def test_levels_that_nothing_takes_are_refused() -> None:
    with pytest.raises(ClipbenchError, match="word-shuffle has one setting only"):
        levels("word-shuffle", rates="0.3")
    with pytest.raises(ClipbenchError, match="no operation that is named takes them"):
        levels("keyboard", severities="3")


def test_mm_robustness_is_five_levels_of_captions_and_photographs() -> None:
    found = levels("mm-robustness")
    assert len(found) == 27
    assert {len(some) for some in found.values()} == {5}


def test_level_zero_is_the_clean_run_and_deterministic_photographs_have_one_seed() -> None:
    request = SweepRequest(selections(["jpeg", "gaussian-noise"], (0.0, 3.0)), seeds=(0, 1, 2))
    found = [(one.perturbation.operation, one.perturbation.seed) for one in settings(request)]
    assert found == [("clean", 0), ("jpeg", 0), *(("gaussian-noise", seed) for seed in (0, 1, 2))]
