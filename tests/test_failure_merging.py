"""Each merge policy counts what its name says, on a case small enough to do by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipbench.errors import ClipbenchError
from clipbench.failures.homogeneity import homogeneity
from clipbench.failures.merging import POLICIES, Given, conflicts, merge


def labels(*rows: tuple[str, str, str]) -> list[Given]:
    """(item, annotator, category) in the order given; annotator J decides."""
    return [
        Given(item, who, category, None, order, adjudicated=who == "J")
        for order, (item, who, category) in enumerate(rows)
    ]


CASE = labels(
    ("one", "A", "Object"),
    ("two", "A", "Object"),
    ("two", "B", "Object"),
    ("split", "A", "Count"),
    ("split", "B", "Object"),
    ("most", "A", "Action"),
    ("most", "B", "Count"),
    ("most", "C", "Count"),
    ("decided", "A", "Spatial"),
    ("decided", "B", "Context"),
    ("decided", "J", "Object"),
)


def counted(policy: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for given_ in merge(CASE, policy).counted:
        found.setdefault(given_.item, []).append(given_.category)
    return found


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("first", {"one": "O", "two": "O", "split": "C", "most": "A", "decided": "S"}),
        ("last", {"one": "O", "two": "O", "split": "O", "most": "C", "decided": "X"}),
        ("majority", {"one": "O", "two": "O", "most": "C"}),
        ("drop-conflicts", {"one": "O", "two": "O"}),
        ("adjudicated", {"one": "O", "two": "O", "decided": "O"}),
        ("count-all", {"one": "O", "two": "OO", "split": "CO", "most": "ACC", "decided": "SX"}),
    ],
)
def test_policies_count_what_their_names_say(policy: str, expected: dict[str, str]) -> None:
    letters = {"O": "Object", "C": "Count", "A": "Action", "S": "Spatial", "X": "Context"}
    assert counted(policy) == {item: [letters[c] for c in said] for item, said in expected.items()}


def test_what_is_left_out_has_a_reason() -> None:
    assert merge(CASE, "majority").dropped == {"split": "no majority", "decided": "no majority"}
    assert set(merge(CASE, "drop-conflicts").dropped) == {"split", "most", "decided"}
    assert set(merge(CASE, "adjudicated").dropped) == {"split", "most"}


def test_conflicts_are_those_that_nobody_has_decided() -> None:
    assert conflicts(CASE) == ("split", "most")


def test_a_majority_keeps_the_subtype_most_of_it_gave() -> None:
    given_ = [
        Given("i", who, "Ambiguous", sub, n) for n, (who, sub) in enumerate(zip("ABC", "xyy", strict=True))
    ]
    (found,) = merge(given_, "majority").counted
    assert found.subtype == "y"


def test_an_unknown_policy_names_those_there_are() -> None:
    with pytest.raises(ClipbenchError) as caught:
        merge([], "vote")
    assert "drop-conflicts" in str(caught.value.hint)


@given(
    st.lists(
        st.tuples(st.sampled_from("pqr"), st.sampled_from("ABJ"), st.sampled_from(["Object", "Count"])),
        max_size=12,
        unique_by=lambda row: row[:2],
    ),
    st.sampled_from(sorted(POLICIES)),
)
def test_every_item_is_counted_or_left_out_with_a_reason(
    rows: list[tuple[str, str, str]], policy: str
) -> None:
    merged = merge(labels(*rows), policy)
    items = {item for item, _, _ in rows}
    assert {g.item for g in merged.counted} | set(merged.dropped) == items
    assert not {g.item for g in merged.counted} & set(merged.dropped)
    if policy != "count-all":
        assert len(merged.counted) == merged.items


def test_homogeneity_is_pearsons_statistic_and_agrees_with_the_exact_test() -> None:
    from scipy.stats import chi2_contingency, fisher_exact

    table = [[8, 2], [1, 5]]
    found = homogeneity(table, resamples=20_000)
    assert found is not None
    assert found.statistic == pytest.approx(chi2_contingency(table, correction=False).statistic)
    assert found.cramers_v == pytest.approx((found.statistic / 16) ** 0.5)
    # For 2 × 2 tables the order by X² is that by probability here, so p is Fisher's, to sampling error (.001).
    assert found.p == pytest.approx(fisher_exact(table).pvalue, abs=0.004)


def test_equal_rows_are_alike_and_a_single_row_cannot_be_compared() -> None:
    same = homogeneity([[5, 5, 0], [5, 5, 0]])
    assert same is not None
    assert same.p == 1.0
    assert homogeneity([[3, 4]]) is None
    assert homogeneity([[3, 0], [4, 0]]) is None
    with pytest.raises(ValueError, match="from 0 up"):
        homogeneity([[-1, 2], [1, 1]])
