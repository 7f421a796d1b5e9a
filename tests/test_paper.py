"""Tables as LaTeX: they stand in one column of a two-column paper, lose nothing, and nothing in them is a command."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, cli, environment, good, refused

from clipbench.reports.choosing import with_columns
from clipbench.reports.formats import LATEX
from clipbench.reports.paper.latex import to_latex
from clipbench.reports.paper.setting import breakable, tex
from clipbench.reports.tables import Cell, Column, Table

PAPER = r"""\documentclass[%s,twocolumn]{article}
\usepackage[T1]{fontenc}
%s
\usepackage[paperwidth=560pt,paperheight=780pt,textwidth=%s,textheight=680pt,columnsep=%s]{geometry}
\usepackage{booktabs,tabularx,siunitx}
\setcounter{totalnumber}{9}
\begin{document}
"""
PAPERS = {
    "240 pt": PAPER % ("10pt", "", "500pt", "20pt"),
    "219 pt of Times": PAPER % ("11pt", r"\usepackage{times}", "455pt", "17pt"),
}
"""Papers by how wide their columns are; the second one is set as those of the ACL."""

TEX = shutil.which("pdflatex")
needs_latex = pytest.mark.skipif(
    TEX is None
    or not shutil.which("kpsewhich")
    or bool(
        subprocess.run(["kpsewhich", "siunitx.sty", "times.sty"], capture_output=True, check=False).returncode
    ),
    reason="no pdflatex with siunitx here",
)

cells: st.SearchStrategy[Cell] = (
    st.none() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | st.text(max_size=20)
)
tables = st.integers(1, 12).flatmap(
    lambda n: st.lists(st.lists(cells, min_size=n, max_size=n).map(tuple), max_size=60).map(
        lambda rows: Table("A title", tuple(Column(f"c{i}") for i in range(n)), tuple(rows), ("a note",))
    )
)


@given(tables, st.sampled_from(sorted(LATEX.values())))
def test_every_row_has_as_many_cells_as_its_panel_and_braces_match(table: Table, style: str) -> None:
    text = to_latex([table], style)
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    assert not re.search(r"(?<!\\)[#~^_]", re.sub(r"\$\^\{", "", plain))
    for panel in re.findall(r"\\midrule\n(.*?)\\bottomrule", text, re.DOTALL):
        lines = [line.strip() for line in panel.strip().splitlines() if r"\addlinespace" not in line]
        assert all(line.endswith(r"\\") for line in lines)
        assert len({len(re.findall(r"(?<!\\)&", line)) for line in lines}) == 1


def test_a_small_table_as_it_is_written() -> None:
    table = Table(
        "Runs of a_b",
        (Column("model"), Column("t2i hit@1", "t2i R@1"), Column("t2i MedR", digits=1), Column("n")),
        (("ViT <B>|32", 0.19919999, -3.25, 5000), ("[x]*", None, 60.0, 7)),
        ("R@K: share", "bold: the best"),
        best=frozenset({(0, 1)}),
    )
    assert (
        to_latex([table])
        == r"""% \usepackage{booktabs}

\begin{table}[t]
  \centering
  \caption{Runs of a\_b}
  \label{tab:runs-of-a-b}
  \fontsize{8}{9.5}\selectfont
  \setlength{\tabcolsep}{3pt}
  \begin{tabular}{@{}lrrr@{}}
    \toprule
     & \multicolumn{2}{c}{t2i} &  \\
    \cmidrule(lr){2-3}
    model & R@1 & MedR & n \\
    \midrule
    ViT \textless{}B\textgreater{}\textbar{}32 & \textbf{0.1992} & $-$3.2 & 5,000 \\
    {[}x]{*} & -- & 60.0 & 7 \\
    \bottomrule
  \end{tabular}

  \smallskip
  \begin{minipage}{\linewidth}\scriptsize\raggedright
    R@K: share. Bold: the best.
  \end{minipage}
\end{table}
"""
    )


def test_numbers_are_aligned_by_siunitx_with_their_marks() -> None:
    table = Table("t", (Column("run"), Column("R@1", right=True)), (("a", "0.25‡"), ("b", "−12.50")))
    text = to_latex([table], "siunitx")
    assert r"\usepackage{booktabs}\usepackage{siunitx}" in text
    assert "S[table-format=+2.2, " in text
    assert r"a & 0.25{$^{\ddagger}$} \\" in text
    assert r"b & -12.50 \\" in text
    assert "run & {R@1}" in text


def test_what_all_rows_share_is_said_beneath_and_what_a_paper_does_not_need_is_left_out() -> None:
    columns = (Column("run", aside=True), Column("model"), Column("dataset"), Column("R@1"))
    rows = (("3a5d", "B-32", "coco", 0.5), ("7c90", "L-14", "coco", 0.5))
    text = to_latex([Table("Runs", columns, rows)])
    assert "% left out: run; --columns chooses\n" in text
    assert "Dataset: coco." in text
    assert r"B-32 & 0.5000 \\" in text
    alike = to_latex([Table("Runs", columns, (rows[0], ("7c90", "B-32", "coco", 0.4)))])
    assert "left out" not in alike  # else nobody could tell the rows apart
    assert r"3a5d & " in alike


def test_columns_that_were_asked_for_stand_there_across_the_page() -> None:
    names = [f"number {i}" for i in range(12)]
    table = Table("Wide", tuple(map(Column, ["run", *names])), (("a", *map(float, range(12))),))
    assert r"\begin{table*}" in to_latex([table], named=True)
    folded = to_latex([table])
    assert r"\begin{table*}" not in folded
    assert folded.count(r"\toprule") > 1
    assert all(f"{i}.0000" in folded for i in range(12))


def test_labels_differ_and_long_tables_go_on() -> None:
    table = Table("Runs", (Column("run"), Column("R@1")), tuple((f"run {i}", 0.5) for i in range(120)))
    text = to_latex([table, table])
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert len(labels) == len(set(labels)) == 6
    assert all(f"run {i} &" in text for i in range(120))


def test_words_break_where_they_are_joined_and_hyphens_make_no_dash() -> None:
    assert tex("--model") == r"-{}-model"
    assert breakable("0" * 20) == "0" * 14 + r"\allowbreak{}" + "0" * 6


def test_columns_are_chosen_by_heading_or_name_in_any_capitals() -> None:
    table = Table("", (Column("t2i hit@1", "t2i R@1"), Column("run"), Column("n")), ((0.5, "a", 3),))
    other = Table("", (Column("fact"), Column("n")), (("b", 4),))
    [chosen] = with_columns([table, other], ["RUN", " t2i  r@1"])
    assert chosen.rows == (("a", 0.5),)
    assert len(with_columns([table, other], ["n"])) == 2
    assert [one.rows for one in with_columns([table, other], ["fact", "run"])] == [(("a",),), (("b",),)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder / "source", images=16, captions=(2, 3))
        words = ("--perturb", "word-dropout", "--levels", "0.1,0.3,0.5", "--seeds", "2")
        good("robustness", "sweep", "toys", "--model", "toy", *words, "-q")
    return folder / "store"


COMPARED = ("report", "--compare", "latest:clean", "--resamples", "200")
PRINTED = (
    ("runs", "list"),
    ("report", "--sweep", "latest"),
    (*COMPARED, "all:word-dropout", "--metric", "R@1", "--metric", "RSUM", "--by", "caption-length"),
    (*COMPARED, "all:word-dropout,seed=0", "--metric", "R@1", "--metric", "R@10", "--metric", "MedR"),
    ("runs", "list", "--columns", "run,model,perturbation,t2i R@1,t2i R@5,t2i R@10,i2t R@1,RSUM,created"),
    (*COMPARED, "latest:word-dropout=0.5", "--flips", "3"),
    ("runs", "show"),
    ("report", "--leaderboard"),
    ("report", "--anchors"),
    ("report", "--transfer"),
    ("report", "--query", "select run, kind, dataset, model from runs"),
    ("dataset", "list"),
    ("dataset", "show", "toys"),
    ("robustness", "list"),
    ("store", "info"),
)
STYLED = {"latex-tabularx": 5, "latex-siunitx": 5}
"""How many of them are printed in the other styles, which differ in their columns alone."""


@needs_latex
def test_every_table_fits_one_column_of_a_real_paper(store: Path, tmp_path: Path) -> None:
    assert TEX is not None
    found = [
        good(*words, "-f", form, store=store).out for form in LATEX for words in PRINTED[: STYLED.get(form)]
    ]
    for name, opening in PAPERS.items():
        file = tmp_path / "paper.tex"
        file.write_text(opening + "\n\\clearpage\n".join(found) + "\\end{document}\n")
        words = [TEX, "-interaction=nonstopmode", "-halt-on-error", "-draftmode", file.name]
        done = subprocess.run(
            words, cwd=tmp_path, input="", capture_output=True, text=True, errors="replace", check=False
        )
        assert done.returncode == 0, done.stdout[-2000:]
        log = file.with_suffix(".log").read_text(errors="replace")
        assert re.findall(r"Overfull \\hbox.*|Float too large.*", log) == [], name


def test_a_wrong_column_is_refused_with_those_there_are(store: Path) -> None:
    told = refused("runs", "list", "--columns", "run,t2i R@7", store=store)
    assert "there is no column 't2i R@7'" in told
    assert "t2i R@10" in told
    assert "asked for twice" in refused("runs", "list", "--columns", "run,run", store=store)
    assert "without a name" in refused("runs", "list", "--columns", "run,", store=store)


def test_columns_hold_in_every_format(store: Path) -> None:
    words = ("runs", "list", "--columns", "model,t2i R@1")
    assert cli(*words, store=store).out.split()[1:5] == ["model", "t2i", "R@1", "─" * 14]
    assert good("runs", "list", "--columns", "model", "-f", "csv", store=store).out.split() == [
        "model",
        *["toy"] * 7,
    ]
