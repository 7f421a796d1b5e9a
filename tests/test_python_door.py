"""The Python door: every command of the command line, results that are their tables, and vectors without a store."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_toys import added, environment, good

import clipbench as cb
from clipbench.api.commands import READING, argv, commands
from clipbench.api.result import Result
from clipbench.reports.tables import Column, Table


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> cb.Store:
    folder = tmp_path_factory.mktemp("door")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder / "source", images=6)
    return cb.open(folder / "store")


def test_python_lacks_no_command_and_names_none_that_is_not_there() -> None:
    from docs_blocks import commands as documented

    assert set(commands()) == {" ".join(words) for words in documented()}
    assert set(commands()) >= READING


def test_importing_it_loads_nothing_heavy() -> None:
    words = "import sys, clipbench; print([m for m in ('torch', 'numpy', 'typer', 'sqlalchemy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_options_are_keywords() -> None:
    words = argv(
        "robustness sweep",
        ["toys"],
        {"perturb": ["a", "b"], "dry_run": True, "seeds": 2, "name": None, "quiet": False},
    )
    assert words == ["--perturb=a", "--perturb=b", "--dry-run", "--seeds=2", "--", "toys"]
    with pytest.raises(cb.ClipbenchError, match="has no option 'colour'"):
        argv("evaluate", ["toys"], {"colour": "red"})


def test_a_result_is_what_the_command_says(store: cb.Store) -> None:
    done = store.evaluate("toys", model="toy")
    with environment(CLIPBENCH_STORE=str(store.folder)):
        printed = good("evaluate", "toys", "--model", "toy", "-q").out
        assert str(done).split() == printed.split(), "whatever the width"
        told = good("evaluate", "toys", "--model", "toy", "--json").json
    assert done.to_dict()["tables"] == [told]
    assert list(done.rows) == told["rows"]
    assert "<table>" in done._repr_html_()


def test_runs_are_swept_compared_and_asked_after(store: cb.Store) -> None:
    store.evaluate("toys", model="toy")
    sweep = store.sweep("toys", model="toy", perturb="word-dropout", levels="0.5")
    assert {row["operation"] for row in sweep.rows} >= {"word-dropout"}
    compared = store.compare("latest:clean", "latest:word-dropout=0.5", metric="R@1")
    assert {row["metric"] for row in compared.rows} == {"hit@1"}
    assert store.query("SELECT count(*) AS n FROM runs").rows[0]["n"] == 2
    assert len(store.runs(dataset="toys").rows) == 2
    assert store.leaderboard().rows[0]["model"] == "toy"


def test_a_sweep_has_a_figure_and_a_list_has_none(store: cb.Store) -> None:
    pytest.importorskip("matplotlib")
    sweep = store.sweep("toys", model="toy", perturb="word-dropout", levels="0.5", name="drawn")
    assert sweep.figure().axes
    with pytest.raises(cb.ClipbenchError, match="has no figure"):
        store.datasets().figure()


def test_a_figure_is_of_its_own_sweep_and_not_of_the_newest(
    store: cb.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(cb.Store, "_curve", lambda _, name: asked.append(name))
    first, second = (
        store.sweep("toys", model="toy", perturb="word-dropout", levels=level) for level in ("0.5", "0.3")
    )
    first.figure()
    assert asked == [first.rows[0]["sweep"]] != [second.rows[0]["sweep"]]


def test_errors_are_those_of_the_command_line_with_their_hint(store: cb.Store, tmp_path: Path) -> None:
    with pytest.raises(cb.ClipbenchError, match="no dataset 'nothing'") as refusal:
        store.evaluate("nothing", model="toy")
    assert refusal.value.hint
    with pytest.raises(cb.ClipbenchError, match="there is no command"):
        store.do("evaluat", "toys")
    with pytest.raises(cb.ClipbenchError, match="Invalid value"):
        store.evaluate("toys", model="toy", ties="sometimes")
    with pytest.raises(cb.ClipbenchError, match="there is no store"):
        cb.open(tmp_path / "none").runs()
    assert not (tmp_path / "none").exists()


def test_cells_are_text_in_html_and_names_may_begin_with_a_dash() -> None:
    table = Table("<b>", (Column("a"),), (("<script>alert(1)</script>",),), ("<i>",))
    html = Result((table,), "<u>", "clipbench x")._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert "<u>" not in html
    assert argv("dataset show", ["-odd"], {}) == ["--", "-odd"]


def test_vectors_at_hand_score_as_a_run_of_them(store: cb.Store) -> None:
    images, owners = np.random.default_rng(0).normal(size=(20, 8)), np.repeat(np.arange(20), 2)
    texts = images[owners] + np.random.default_rng(1).normal(size=(40, 8))
    done = cb.evaluate_vectors(images, texts, owners, resamples=100)
    unit = [m / np.linalg.norm(m, axis=1, keepdims=True) for m in (images, texts)]
    scores = unit[1] @ unit[0].T
    ranks = 1 + (scores > scores[np.arange(40), owners][:, None]).sum(axis=1)
    assert done["t2i R@1"] == pytest.approx((ranks == 1).mean())
    assert done["t2i MedR"] == np.median(ranks)
    assert done.ranks("t2i").tolist() == ranks.tolist()
    best = np.array([scores[owners == i, i].max() for i in range(20)])
    of_images = 1 + np.array([(scores[owners != i, i] > best[i]).sum() for i in range(20)])
    assert done["i2t R@5"] == pytest.approx((of_images <= 5).mean())
    assert done["RSUM"] == pytest.approx(
        100 * sum(done[f"{d} R@{k}"] for d in ("t2i", "i2t") for k in (1, 5, 10))
    )
    assert "t2i   hit@1" in str(done)
    with pytest.raises(KeyError):
        done["t2i R@7"]


@pytest.mark.parametrize(
    ("images", "texts", "owners", "says"),
    [
        (np.eye(3), np.eye(4), [0, 1, 2, 0], "3 dimensions, texts 4"),
        (np.eye(3), np.eye(3), [0, 1], "one whole number a text"),
        (np.eye(3), np.eye(3), [0.0, 1.0, 2.0], "one whole number a text"),
        (np.eye(3), np.eye(3), [0, 1, 3], "owners lie between 0 and 3"),
        (np.eye(3), np.eye(3), [0, 1, 1], "1 of which have no text"),
        (np.eye(3) * [1, 0, 1], np.eye(3), [0, 1, 2], "no direction, the first is row 1"),
        (np.ones(3), np.eye(3), [0, 1, 2], "a matrix with a row each"),
    ],
)
def test_vectors_that_mean_nothing_are_refused(
    images: object, texts: object, owners: object, says: str
) -> None:
    with pytest.raises(cb.ClipbenchError, match=says):
        cb.evaluate_vectors(images, texts, owners)  # type: ignore[arg-type]


def test_the_page_on_python_runs_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import re

    page = (Path(__file__).parent.parent / "docs" / "python.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    names: dict[str, object] = {}
    exec(compile(code, "docs/python.md", "exec"), names)  # noqa: S102, our own page
    assert isinstance(names["board"], Result)
    assert isinstance(names["sample"], Result)
