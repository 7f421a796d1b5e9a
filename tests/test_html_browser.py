"""The written report in a real browser: nothing overflows, loads or runs; it can be read in the dark and on paper."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import draw, environment, good, write_csv
from page_toys import barriers, browser

pytestmark = pytest.mark.slow

WORDS = [
    "<script>document.title = 'owned'</script><img src=https://example.org/x.png onerror=\"document.title='owned'\">",
    "x" * 3000,
    "\u202eturned around\u202c שלום עולם مرحبا",
    "</style><style>*{display:none}</style>",
    "https://example.org/" + "a/" * 200,
    *(f"a plain caption of picture number {n}, some words longer than the others" for n in range(11)),
]
PHONE, DESK, PAPER = 360, 1280, 1017
"""Widths in CSS pixels; PAPER is A4 landscape within its margins."""

BEYOND = """
const wide = document.documentElement.clientWidth + 1;
return [...document.querySelectorAll('body *')]
  .filter(e => !e.closest('.scroll > *') && e.getBoundingClientRect().right > wide)
  .map(e => e.tagName + '.' + e.className);
"""
"""Elements that reach beyond the page, those within a box that scrolls left out."""

CONTRASTS = """
const channel = v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
const parts = text => text.match(/[\\d.]+/g).map(Number);
const light = text => { const [r, g, b] = parts(text); return .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b); };
const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
  const p = parts(c); if (p.length < 4 || p[3] === 1) return c; } return getComputedStyle(document.body).backgroundColor; };
const found = [];
for (const e of document.querySelectorAll('body *')) {
  if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.closest('title')) continue;
  const style = getComputedStyle(e), svg = e.namespaceURI.endsWith('svg');
  const [a, b] = [light(svg ? style.fill : style.color), light(behind(e))];
  found.push([(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.tagName + '.' + e.getAttribute('class')]);
}
return found;
"""
"""The contrast of every text with what lies behind it, as WCAG 2 defines it."""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with every section, on captions that would break a page that took them for markup."""
    folder = tmp_path_factory.mktemp("page")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        names = draw(folder / "photos", len(WORDS))
        file = write_csv(folder / "captions.csv", list(zip(names, WORDS, strict=True)))
        named = "<b>data</b>-" + "long" * 20
        good("dataset", "add", named, "--captions", file, "--images", folder / "photos", "-q")
        good("robustness", "sweep", named, "--model", "toy", "--perturb", "word-dropout",
             "--levels", "0.1,0.3,0.5", "--seeds", "2", "-q")  # fmt: skip
        good("report", "--compare", "latest:clean", "all:word-dropout", "--flips", "6",
             "--resamples", "200", "--html", folder / "out.html")  # fmt: skip
    return folder / "out.html"


def opened(chrome: Any, page: Path, width: int, *, dark: bool = False, media: str = "screen") -> None:
    """Open the page as a device of that width shows it."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 2, "mobile": width < 600}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [scheme]})
    chrome.get(page.as_uri())


@pytest.mark.parametrize("width", [PHONE, 390, 768, DESK])
def test_nothing_reaches_beyond_the_page(chrome: Any, page: Path, width: int) -> None:
    opened(chrome, page, width)
    ask = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    needed, there = chrome.execute_script(ask)
    assert there == pytest.approx(width, abs=20)  # less a scroll bar
    assert needed <= there
    assert chrome.execute_script(BEYOND) == []


def test_tables_that_are_wider_scroll_within_themselves_and_keep_their_first_column(
    chrome: Any, page: Path
) -> None:
    opened(chrome, page, PHONE)
    moved = chrome.execute_script("""
        const box = [...document.querySelectorAll('.scroll')].find(b => b.scrollWidth > b.clientWidth + 50);
        box.scrollLeft = 50;
        const head = box.querySelector('tbody th');
        return [box.scrollLeft, head.getBoundingClientRect().left - box.getBoundingClientRect().left,
                box.tabIndex, head.getBoundingClientRect().width / box.clientWidth];
    """)
    assert moved[0] == 50
    assert moved[1] == pytest.approx(0, abs=2)
    assert moved[2] == 0
    assert moved[3] < 0.6


def test_the_page_asks_for_nothing_and_runs_nothing(chrome: Any, page: Path) -> None:
    chrome.execute_cdp_cmd("Network.enable", {})
    chrome.get_log("browser")
    opened(chrome, page, DESK)
    loaded = chrome.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []
    assert chrome.execute_script("return document.scripts.length + document.styleSheets.length") == 1
    assert chrome.title.startswith("Retrieval on <b>data</b>")
    assert [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"] == []
    pictures = chrome.execute_script("return [...document.images].map(i => i.naturalWidth)")
    assert pictures
    assert all(pictures)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(chrome: Any, page: Path, dark: bool) -> None:  # noqa: FBT001
    opened(chrome, page, DESK, dark=dark)
    background = chrome.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(21, 24, 28)" if dark else "rgb(255, 255, 255)")
    weak = [(round(ratio, 2), who) for ratio, who in chrome.execute_script(CONTRASTS) if ratio < 4.5]
    assert weak == []


def test_nothing_keeps_anybody_out(chrome: Any, page: Path) -> None:
    opened(chrome, page, DESK)
    found = barriers(chrome, contrast=False)
    assert not found, "\n".join(found)  # that is measured above, and faster


def test_paper_is_white_and_wide_enough_for_every_table(chrome: Any, page: Path) -> None:
    opened(chrome, page, PAPER, dark=True, media="print")
    background = chrome.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(255, 255, 255)"
    wide = chrome.execute_script(
        "return [...document.querySelectorAll('table')].map(t => t.getBoundingClientRect().right)"
    )
    assert max(wide) <= PAPER + 1


def test_captions_are_shown_whole(chrome: Any, page: Path) -> None:
    """A box may scroll; none cuts its text off where nobody can reach it."""
    for width in (PHONE, DESK):
        opened(chrome, page, width)
        cut = chrome.execute_script("""
            return [...document.querySelectorAll('.card *, .said, .none')].filter(e =>
              ['hidden', 'clip'].includes(getComputedStyle(e).overflowY) && e.scrollHeight > e.clientHeight + 1
            ).map(e => e.className)
        """)
        assert cut == []


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_picture_enlarges_within_the_window_and_without_a_script(
    chrome: Any, page: Path, width: int
) -> None:
    opened(chrome, page, width)
    small, large, window, again = chrome.execute_script("""
        const picture = document.querySelector('#failures .row img');
        const sides = () => { const box = picture.getBoundingClientRect(); return [box.width, box.left, box.right]; };
        const small = sides(); picture.closest('summary').click();
        const large = sides(); picture.closest('summary').click();
        return [small, large, document.documentElement.clientWidth, sides()];
    """)
    assert large[0] > 3 * small[0]
    assert large[1] >= 0
    assert large[2] <= window
    assert again == small


def test_a_picture_enlarges_by_the_keyboard_and_closes_the_one_before(chrome: Any, page: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    opened(chrome, page, DESK)
    first, second = chrome.find_elements("css selector", "#failures .row summary")[:2]
    first.send_keys(Keys.ENTER)
    second.send_keys(Keys.ENTER)
    shown = chrome.find_elements("css selector", "details.picture[open] > summary")
    assert shown == [second]


def test_a_long_table_keeps_its_headings_and_its_scroll_bar_in_sight(chrome: Any, page: Path) -> None:
    opened(chrome, page, PHONE)
    box, window, heading = chrome.execute_script("""
        const box = [...document.querySelectorAll('.scroll')].find(b => b.scrollHeight > b.clientHeight + 200);
        box.scrollTop = 150; box.scrollLeft = 60;
        const head = box.querySelector('thead th'), edge = box.getBoundingClientRect(), own = head.getBoundingClientRect();
        return [edge.height, innerHeight, [own.top - edge.top, own.left - edge.left]];
    """)
    assert box < 0.9 * window
    assert heading == pytest.approx([0, 0], abs=2)
