"""`clipbench dataset`: from files of every kind to a stored dataset, and a look at it."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, caption, cli, collection, draw, good, picture, refused, write_csv


def listed() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = good("dataset", "list", "--json").json["rows"]
    return rows


def facts(name: str = "toys") -> dict[str, object]:
    return {row["fact"]: row["value"] for row in good("dataset", "show", name, "--json").json[0]["rows"]}


def test_add_says_on_stdout_what_it_stored_and_on_stderr_how_it_read_and_what_comes_next(
    tmp_path: Path,
) -> None:
    done = good(
        "dataset", "add", "toys", "--captions", collection(tmp_path, 3), "--images", tmp_path / "photos"
    )
    fingerprint = str(facts()["fingerprint"]).removeprefix("dataset:")[:10]
    assert done.out == (
        f"toys: added: 3 images, 6 captions (2 an image), split all, fingerprint {fingerprint}\n"
    )
    assert done.err.splitlines() == [
        "note: captions.csv was taken for csv: its first line names the columns image, caption",
        "next: clipbench dataset lint toys; clipbench evaluate toys --model MODEL (clipbench models lists those on this machine)",
    ]


def test_quiet_leaves_only_the_result(tmp_path: Path) -> None:
    words = ("dataset", "add", "toys", "--captions", collection(tmp_path, 3), "--images", tmp_path / "photos")
    assert good(*words, "--quiet").err == ""


def test_the_same_content_again_is_told_and_kept_once(tmp_path: Path) -> None:
    added(tmp_path)
    again = good("dataset", "add", "twin", "-c", tmp_path / "captions.csv", "--images", tmp_path / "photos")
    assert "twin: already stored with the same content: 12 images" in again.out
    assert [row["name"] for row in listed()] == ["toys", "twin"]
    assert len({row["fingerprint"] for row in listed()}) == 1


def test_a_name_that_means_other_content_is_kept_unless_replaced(tmp_path: Path) -> None:
    added(tmp_path)
    words = ("dataset", "add", "toys", "-c", tmp_path / "captions.csv", "--images", tmp_path / "photos",
             "--sample", "5")  # fmt: skip
    told = refused(*words)
    assert "the name 'toys' already means other content: 12 images" in told
    assert "now 5 images" in told
    assert listed()[0]["images"] == 12
    good(*words, "--replace")
    assert [(row["name"], row["images"]) for row in listed()] == [("toys", 5)]


def test_every_problem_is_told_at_once_with_file_and_line_and_nothing_is_stored(
    tmp_path: Path, own_home: Path
) -> None:
    file = collection(tmp_path, 30)
    for number in range(25):
        (tmp_path / "photos" / f"p{number:03}.png").unlink()
    told = refused("dataset", "add", "toys", "-c", file, "--images", tmp_path / "photos")
    assert "25 problems, nothing was imported" in told
    assert f"{file}:2: photograph p000.png: missing" in told
    assert f"{file}:40: photograph p019.png: missing" in told
    assert "... and 5 more" in told
    assert "--allow-missing 1 records them as missing" in told
    assert not own_home.exists(), "not even an empty store"
    done = good(
        "dataset", "add", "toys", "-c", file, "--images", tmp_path / "photos", "--allow-missing", "0.9"
    )
    assert "25 of 30 photographs missing or unreadable" in done.err
    assert (facts()["images"], facts()["usable photographs"], listed()[0]["problems"]) == (30, 5, 25)


@pytest.mark.parametrize(
    ("words", "told", "hint"),
    [
        (("-c", "none.csv"), "cannot read none.csv: No such file or directory", "check the path"),
        (("-c", "{csv}", "--images", "nowhere"), "nowhere is no folder", "--images FOLDER"),
        (("-c", "{csv}", "--sample", "40"), "a sample of 40 was asked, there are 12 images", "--sample 12"),
        (("-c", "{csv}", "--policy", "best"), "no caption policy is called 'best'", "first<K>"),
        (("-c", "{csv}", "--split", "test"), "split 'test' was asked, and this source records no splits", "--split-file"),
        (("-c", "{csv}", "--format", "cvs"), "cvs", "csv"),
        (("-c", "{csv}", "--caption-column", "text"), "text", "caption"),
        (("--format", "scenes", "--images", "{photos}"), "scenes are drawn", "--split, --sample"),
        (("--format", "scenes", "--split", "exam"), "the scenes have no split 'exam'", "--split"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_in_one_line_with_a_hint(
    words: tuple[str, ...], told: str, hint: str, tmp_path: Path
) -> None:
    csv = collection(tmp_path)
    given = [word.format(csv=csv, photos=tmp_path / "photos") for word in words]
    if "--images" not in given and "scenes" not in given:
        given += ["--images", str(tmp_path / "photos")]
    message = refused("dataset", "add", "toys", *given)
    assert told in message
    assert hint in message.partition("try: ")[2]


def test_token_files_json_lines_tables_and_folders_give_the_same_dataset(tmp_path: Path) -> None:
    names = draw(tmp_path / "photos", 4)
    texts = [(name, caption(i, j)) for i, name in enumerate(names) for j in range(2)]
    (tmp_path / "tokens.txt").write_text(
        "".join(f"{name}#{i % 2}\t{text}\n" for i, (name, text) in enumerate(texts))
    )
    (tmp_path / "lines.jsonl").write_text(
        "".join(
            json.dumps(
                {"image_path": name, "caption": text, "image_id": name, "caption_id": f"{name}#{i % 2}"}
            )
            + "\n"
            for i, (name, text) in enumerate(texts)
        )
    )
    write_csv(tmp_path / "table.csv", texts)
    (tmp_path / "table.tsv").write_text(
        "image\tcaption\n" + "".join(f"{name}\t{text}\n" for name, text in texts)
    )
    folder = tmp_path / "folder"
    for i, name in enumerate(draw(folder, 4)):
        (folder / name).with_suffix(".txt").write_text(f"{caption(i, 0)}\n{caption(i, 1)}\n")
    for source in ("tokens.txt", "lines.jsonl", "table.csv", "table.tsv"):
        good(
            "dataset",
            "add",
            source.replace(".", "-"),
            "-c",
            tmp_path / source,
            "--images",
            tmp_path / "photos",
        )
    good("dataset", "add", "folder", "--captions", folder, "--format", "folder")
    good("dataset", "add", "photos", "--images", folder)
    assert len({row["fingerprint"] for row in listed()}) == 1, listed()
    assert {row["format"] for row in listed()} == {"flickr8k", "jsonl", "csv", "tsv", "folder"}


def test_a_sample_and_a_caption_policy_are_part_of_what_is_stored(tmp_path: Path) -> None:
    file = collection(tmp_path, 12, captions=(1, 2, 3))
    words = ("-c", file, "--images", tmp_path / "photos", "-q")
    good("dataset", "add", "all", *words)
    good("dataset", "add", "two", *words, "--max-captions", "2")
    good("dataset", "add", "same", *words, "--policy", "first2")
    good("dataset", "add", "five", *words, "--sample", "5", "--seed", "3")
    counts = {row["name"]: (row["images"], row["captions"], row["policy"]) for row in listed()}
    assert counts["all"] == (12, 24, "all")
    assert counts["two"] == counts["same"] == (12, 20, "first2")
    assert counts["five"][0] == 5
    assert facts("five")["source: seed"] == "3"


def test_show_tells_what_is_there_and_the_first_captions(tmp_path: Path) -> None:
    added(tmp_path, captions=(1, 3))
    done = good("dataset", "show", "toys", "--captions", "2")
    assert "captions per image 6 with 1, 6 with 3" in " ".join(done.out.split())
    assert "p001.png#2" in done.out
    assert "p002.png" not in done.out
    assert caption(1, 2) in done.out
    tables = good("dataset", "show", "toys", "--captions", "2", "--json").json
    assert [row["caption id"] for row in tables[1]["rows"]] == [
        "p000.png#0", "p001.png#0", "p001.png#1", "p001.png#2",
    ]  # fmt: skip
    assert len(good("dataset", "show", "toys", "--captions", "0", "--json").json) == 1


def test_an_unknown_name_is_told_with_the_near_ones(tmp_path: Path) -> None:
    added(tmp_path, "flickr-test")
    for words in [("show",), ("lint",)]:
        told = refused("dataset", *words, "flickr-tset")
        assert "there is no dataset 'flickr-tset'" in told
        assert "near: flickr-test" in told
        assert "try: clipbench dataset list" in told
    assert "'nope'" in refused("dataset", "lint", "flickr-test", "--against", "nope")


def test_lint_of_a_clean_dataset_finds_nothing(tmp_path: Path) -> None:
    added(tmp_path, images=4)
    done = good("dataset", "lint", "toys", "--allow", "tiny-image=any", "--json")
    assert {row["finding"] for row in done.json["rows"]} <= {"tiny-image"}
    assert good("dataset", "lint", "toys").code == 0


@pytest.fixture
def spoiled(tmp_path: Path) -> str:
    """Ten images: one file gone since, one not an image, two with the same bytes; an empty caption, a repeated one."""
    names = draw(tmp_path / "photos", 10)
    (tmp_path / "photos" / names[3]).write_bytes((tmp_path / "photos" / names[2]).read_bytes())
    rows = [(name, caption(i)) for i, name in enumerate(names)]
    rows[5] = (names[5], caption(4))
    rows.append((names[6], " "))
    file = write_csv(tmp_path / "captions.csv", rows)
    good("dataset", "add", "toys", "-c", file, "--images", tmp_path / "photos", "-q")
    (tmp_path / "photos" / names[8]).unlink()
    (tmp_path / "photos" / names[9]).write_text("no image")
    return "toys"


def test_lint_exits_1_above_its_thresholds_and_names_what_is_above(spoiled: str) -> None:
    done = cli("dataset", "lint", spoiled, "--json")
    assert done.code == 1
    found = {row["finding"]: row for row in done.json["rows"]}
    assert (found["missing-image"]["count"], found["missing-image"]["examples"]) == (1, "p008.png: missing")
    assert found["missing-image"]["severity"] == "ERROR"
    assert found["duplicate-image"]["severity"] == "warning"
    assert found["empty-caption"]["count"] == 1
    assert found["duplicate-caption-across"]["count"] == 2
    assert "above the threshold: " in done.json["notes"][0]
    assert "missing-image" in done.json["notes"][0]
    assert done.err == ""


def test_lint_tolerates_the_shares_it_is_told_to(spoiled: str) -> None:
    errors = ["missing-image", "unreadable-image", "changed-image", "empty-caption"]
    allowed = [word for kind in errors for word in ("--allow", f"{kind}=0.2")]
    assert cli("dataset", "lint", spoiled, *allowed).code == 0
    assert cli("dataset", "lint", spoiled, *allowed, "--allow", "missing-image=0.05").code == 1
    assert cli("dataset", "lint", spoiled, *allowed, "--allow", "missing-image=any").code == 0
    strict = cli("dataset", "lint", spoiled, *allowed, "--allow", "duplicate-image=0")
    assert strict.code == 1
    assert "duplicate-image" in strict.out


@pytest.mark.parametrize(
    ("word", "told"),
    [("missing-image", "not of the form KIND=SHARE"), ("missing-image=lots", "not of the form KIND=SHARE"),
     ("mising-image=1", "no finding 'mising-image'"), ("missing-image=2", "not within 0..1")],
)  # fmt: skip
def test_a_threshold_that_means_nothing_is_refused_before_anything_is_decoded(
    word: str, told: str, own_home: Path
) -> None:
    assert told in refused("dataset", "lint", "toys", "--allow", word)
    assert not own_home.exists()


def test_lint_finds_what_two_splits_share(tmp_path: Path) -> None:
    names = draw(tmp_path / "photos", 6)
    for split, chosen in (("train", names[:4]), ("test", names[3:])):
        rows = [(name, caption(names.index(name) % 4)) for name in chosen]
        file = write_csv(tmp_path / f"{split}.csv", rows)
        good("dataset", "add", split, "-c", file, "--images", tmp_path / "photos", "-q")
    assert cli("dataset", "lint", "test").code == 0
    done = cli("dataset", "lint", "test", "--against", "train", "--json")
    assert done.code == 1
    found = {row["finding"]: row["count"] for row in done.json["rows"]}
    assert (found["leaked-image-id"], found["leaked-caption"]) == (1, 2)


@pytest.mark.slow
def test_scenes_need_no_files(own_home: Path) -> None:
    done = good("dataset", "add", "drawn", "--format", "scenes", "--sample", "4", "--max-captions", "2")
    assert done.out.startswith("drawn: added: 4 images, 8 captions")
    assert good("dataset", "lint", "drawn").code == 0


def test_captions_that_a_terminal_would_obey_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    draw(tmp_path / "photos", 1)
    text = "red \x1b[2J\x07 field\u202e and [bold]brackets[/bold] \ud83d\ude00".encode(
        "utf-16", "surrogatepass"
    )
    file = write_csv(tmp_path / "captions.csv", [("p000.png", text.decode("utf-16"))])
    good("dataset", "add", "toys", "-c", file, "--images", tmp_path / "photos", "-q")
    shown = good("dataset", "show", "toys").out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\u202e" not in shown
    assert "[bold]brackets[/bold] 😀" in shown


def test_photographs_may_lie_elsewhere_next_time(tmp_path: Path) -> None:
    added(tmp_path, images=3)
    (tmp_path / "photos").rename(tmp_path / "moved")
    assert cli("dataset", "lint", "toys").code == 1
    good("dataset", "add", "toys", "-c", tmp_path / "captions.csv", "--images", tmp_path / "moved")
    assert cli("dataset", "lint", "toys").code == 0
    assert facts()["image folder"] == str(tmp_path / "moved")


def test_a_picture_is_told_apart_from_the_next(tmp_path: Path) -> None:
    assert len({picture(number).tobytes() for number in range(600)}) == 600
