"""The page to look through a store with: what it shows, to whom, and that it says the same as the commands."""

import html
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, cli, collection, environment, good

pytest.importorskip("starlette", reason="the page needs Starlette")
pytest.importorskip("httpx", reason="Starlette's test client needs httpx")

from starlette.testclient import TestClient

from clipbench.browse_page.application import application
from clipbench.browse_page.arranging import ROWS, arranged
from clipbench.browse_page.asking import Asked
from clipbench.browse_page.looking import Kept, Looking
from clipbench.browse_page.view import Listing
from clipbench.home import Home
from clipbench.reports.tables import Column, Table
from clipbench.store.engine import open_store, prepare_store

TOKEN = "a-token-for-tests"  # noqa: S105, of a page that nobody else sees
HOSTILE = '<script>alert("x")</script>"\'><img src=x onerror=y>'


class Page:
    """The page of a store, asked without a network."""

    def __init__(self, store: Path, words: str = "") -> None:
        home = Home(store)
        at = open_store(home) if home.database.exists() else prepare_store(home)
        self.client = TestClient(application(Looking(at, words), TOKEN), base_url="http://127.0.0.1")

    def __call__(self, path: str = "", code: int = 200) -> str:
        answer = self.client.get(f"/{TOKEN}/{path}")
        assert answer.status_code == code, answer.text
        return answer.text


def said(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a dataset, its clean run and a sweep."""
    root = tmp_path_factory.mktemp("browse")
    store = root / "store"
    with environment(CLIPBENCH_STORE=str(store)):
        added(root)
        good("evaluate", "toys", "--model", "toy")
        words = ("--perturb", "word-dropout", "--levels", "0.3,0.6", "--name", "drop", "-q")
        good("robustness", "sweep", "toys", "--model", "toy", *words)
        good("annotate", "sample", "latest:clean", "--n", "4", "-q")
    return store


@pytest.fixture(scope="module")
def page(place: Path) -> Page:
    return Page(place)


def keys(store: Path) -> list[str]:
    return [
        row["run"].removeprefix("run:")[:10]
        for row in cli("runs", "list", "--format", "csv", store=store).rows
    ]


SAME = {
    "": ("runs", "list"),
    "run?run={run}": ("runs", "show", "{run}"),
    "compare?run={run}&run={other}": ("report", "--compare", "{run}", "{other}"),
    "compare?run={run}&run={other}&flips=1": ("report", "--compare", "{run}", "{other}", "--flips", "20"),
    "sweeps": ("robustness", "sweeps"),
    "sweep?sweep=drop": ("report", "--sweep", "drop"),
    "datasets": ("dataset", "list"),
    "dataset?dataset=toys": ("dataset", "show", "toys", "--captions", "0"),
    "lint?dataset=toys": ("dataset", "lint", "toys", "-q"),
    "labels": ("annotate", "list"),
    "sample?sample=latest": ("annotate", "list", "latest"),
    "adapters": ("adapt", "list"),
    "indexes": ("index", "list"),
}


@pytest.mark.parametrize("path", SAME)
def test_a_view_says_its_command_and_its_csv_is_the_commands(path: str, page: Page, place: Path) -> None:
    run, other = keys(place)[:2]
    words = [word.format(run=run, other=other) for word in SAME[path]]
    path = path.format(run=run, other=other)
    csv = page(f"{path}{'&' if '?' in path else '?'}form=csv")
    done = cli(*words, "--format", "csv", store=place)
    assert csv == done.out
    assert csv.splitlines()[0]
    assert f"clipbench {words[0]} {words[1]}" in said(page(path))


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
def test_a_ledger_is_that_of_runs_export(direction: str, page: Page, place: Path) -> None:
    run = keys(place)[0]
    path = f"queries?run={run}&direction={direction}"
    assert page(f"{path}&form=csv") == good("runs", "export", run, "--direction", direction, store=place).out
    assert f"clipbench runs export {run} --direction {direction}" in said(page(path))
    assert page(f"{path}&only=wrong").count('class="to"') + page(f"{path}&only=right").count(
        'class="to"'
    ) == page(path).count('class="to"')


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
def test_a_query_shows_what_was_found_with_the_right_ones_marked(
    direction: str, page: Page, place: Path
) -> None:
    run = keys(place)[0]
    top = good("runs", "export", run, "--top", "10", "--direction", direction, store=place).rows
    query = top[0]["query"]
    rows = [row for row in top if row["query"] == query]
    path = f"query?run={run}&direction={direction}&query={quote_plus(query)}"
    shown = page(path)
    found = shown[shown.index("Found first") :]
    assert re.findall(r">(\d+), score ([\d.-]+)<", found) == [
        (row["rank"], f"{float(row['score']):.3f}") for row in rows
    ]
    assert found.count("✓ right") == sum(row["right"] == "1" for row in rows)
    lines = page(f"{path}&form=csv").splitlines()
    whole = good("runs", "export", run, "--top", "10", "--direction", direction, store=place).out.splitlines()
    assert lines == whole[: len(lines)]


def test_the_next_of_the_wrong_ones_is_wrong(page: Page, place: Path) -> None:
    run = keys(place)[0]
    rows = good("runs", "export", run, "--direction", "t2i", store=place).rows
    wrong = [row["query"] for row in rows if row["top1 right"] == "0"]
    seen, path = [], f"query?run={run}&direction=t2i&only=wrong&query={quote_plus(wrong[0])}"
    while path:
        shown = page(path)
        seen.append(said(shown[shown.index("<h1>") : shown.index("</h1>")]).removeprefix("Query "))
        following = re.search(r'href="/[^/]*/([^"]*)">next', shown)
        path = html.unescape(following[1]) if following else ""
    assert seen == wrong


def test_where_only_the_first_is_known_it_is_shown_and_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIPBENCH_STORE", str(tmp_path / "store"))
    added(tmp_path)
    good("evaluate", "toys", "--model", "toy", "--fold", "4")
    shown = said(Page(tmp_path / "store")("query?run=latest"))
    assert "only the first is known" in shown
    assert "ranked folds of 4 images" in shown
    assert "--top" not in shown


def test_pictures_are_those_of_the_dataset(page: Page, place: Path) -> None:
    shown = page("dataset?dataset=toys")
    source = html.unescape(re.findall(r'<img src="/[^/]*/([^"]*)"', shown)[0])
    answer = page.client.get(f"/{TOKEN}/{source}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content.startswith(b"\xff\xd8")
    assert page.client.get(f"/{TOKEN}/picture?dataset=toys&image=../../etc/passwd").status_code == 404


def test_a_sweep_is_drawn(page: Page) -> None:
    shown = page("sweep?sweep=drop")
    assert shown.count("<svg") >= 2
    assert "t2i R@1 with perturbed captions" in shown


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "clipbench evaluate DATASET --model MODEL"),
        ("sweeps", "clipbench robustness sweep"),
        ("datasets", "clipbench dataset add NAME"),
        ("labels", "clipbench annotate sample RUN"),
        ("adapters", "clipbench adapt train"),
        ("indexes", "clipbench index build"),
    ],
)
def test_an_empty_view_says_what_to_type(path: str, says: str, tmp_path: Path) -> None:
    assert says in said(Page(tmp_path / "store")(path))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("run?run=ffffff", "ffffff"),
        ("query?run=latest&query=nothing", "no query 'nothing'"),
        ("dataset?dataset=no", "no"),
        ("sweep?sweep=no", "there is no sweep 'no'"),
        ("compare?run=latest", "a comparison needs 2 runs"),
        ("compare", "no run is named"),
        ("nowhere", "no such page"),
        ("a/b/c", "no such page"),
    ],
)
def test_what_is_not_there_is_said(path: str, says: str, page: Page) -> None:
    shown = said(page(path, 404))
    assert says in shown
    assert "Traceback" not in shown


def test_only_whom_the_token_and_host_let_in(page: Page) -> None:
    client = page.client
    assert client.get("/").status_code == 403
    assert client.get("/another-token/").status_code == 403
    assert client.get(f"/{TOKEN}/", headers={"host": "evil.example"}).status_code == 403
    assert client.post(f"/{TOKEN}/").status_code == 403
    answer = client.get(f"/{TOKEN}/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"


def test_nothing_of_captions_or_names_becomes_markup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    monkeypatch.setenv("CLIPBENCH_STORE", str(store))
    file = collection(tmp_path, 4)
    lines = file.read_text().splitlines()
    name = lines[1].split(",")[0]
    lines[1] = f'{name},"{HOSTILE.replace(chr(34), chr(34) * 2)}"'
    file.write_text("\n".join(lines) + "\n")
    good("dataset", "add", "<b>toys", "--captions", file, "--images", tmp_path / "photos", "-q")
    good("evaluate", "<b>toys", "--model", "toy")
    page = Page(store, "--store '<i>'")
    run = keys(store)[0]
    query = good("runs", "export", run, "--top", "1", "--direction", "t2i").rows[0]["query"]
    for path in (
        "",
        f"?find={quote_plus(HOSTILE)}",
        f"?sort={quote_plus(HOSTILE)}&hide={quote_plus(HOSTILE)}",
        f"run?run={run}",
        f"queries?run={run}",
        f"query?run={run}&query={quote_plus(query)}",
        "datasets",
        f"dataset?dataset={quote_plus('<b>toys')}",
    ):
        shown = page(path)
        for part in ("<script>", "<img src=x", "<b>toys", "<i>"):
            assert part not in shown, path
    assert HOSTILE in html.unescape(page(f"query?run={run}&query={quote_plus(query)}"))
    assert "<script>" not in page(f"run?run={quote_plus(HOSTILE)}", 404)


TABLE = Table(
    "",
    (Column("name"), Column("value"), Column("words")),
    tuple(
        (f"n{number}", None if number == 7 else float(number), f"word{number % 2}") for number in range(250)
    ),
)


def arrange(**asked: str) -> Any:
    return arranged(Listing(TABLE), Asked("", tuple(asked.items())))


def test_rows_come_a_page_at_a_time() -> None:
    assert [len(arrange(page=str(page)).rows) for page in (1, 2, 3, 99)] == [ROWS, ROWS, 50, 50]
    assert arrange(page="nonsense").page == 1
    assert arrange(page="3").pages == 3


def test_rows_are_sorted_and_what_is_missing_comes_last() -> None:
    up, down = arrange(sort="value"), arrange(sort="value", down="1")
    assert [row.cells[0] for row in up.rows[:3]] == ["n0", "n1", "n2"]
    assert [row.cells[0] for row in down.rows[:3]] == ["n249", "n248", "n247"]
    for order in ("", "1"):
        assert arrange(sort="value", down=order, page="3").rows[-1].cells[0] == "n7"
    assert next(head for head in down.heads if head.order).order == "descending"


def test_rows_hold_every_word_and_columns_hide() -> None:
    found = arrange(find="N2 word1", hide="value")
    assert found.found == sum("n2" in f"n{n}" and n % 2 == 1 for n in range(250))
    assert [head.column.name for head in found.heads] == ["name", "words"]
    assert arrange(find="nowhere").found == 0


def test_what_is_kept_is_made_anew_after_its_time() -> None:
    now = [0.0]
    kept, made = Kept(2, lambda: now[0]), []

    def get(name: str) -> int:
        return kept.get(name, lambda: made.append(name) or len(made), 10.0)

    assert [get("a"), get("a"), get("b"), get("a")] == [1, 1, 2, 1]
    get("c")  # the one that was not asked for longest goes
    assert get("b") == 4
    now[0] = 11.0
    assert get("b") == 5


def test_the_command_serves_the_page(place: Path) -> None:
    """Through the process: the address that is printed answers, and Ctrl-C ends it without a traceback."""
    import os
    import signal
    import subprocess
    import urllib.request

    words = [sys.executable, "-m", "clipbench", "browse", "--port", "0", "--store", str(place)]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310, our own address
            assert f"--store {place}" in html.unescape(answer.read().decode())
    finally:
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=90)
    assert "Traceback" not in error
