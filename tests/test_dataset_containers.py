"""Photographs inside of tars, Parquet and Arrow files: the same collection as in a folder, for every use."""

import gzip
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

import pyarrow as pa
from cli_toys import cli, good, refused
from container_toys import arrow, content, every_form, folder, json_tar, member, parquets, state, table, tars
from pyarrow import ipc, parquet

from clipbench.datasets.formats import detect
from clipbench.datasets.reading import read
from clipbench.datasets.rows import Columns, ReadRequest
from clipbench.errors import ClipbenchError, InputError, PhotographError
from clipbench.photographs import parquet_cells
from clipbench.photographs.containers import cell_path, contained, slice_path
from clipbench.photographs.opening import photograph
from clipbench.records import Dataset

FORMS = ("webdataset", "parquet", "hf-disk")


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return every_form(tmp_path_factory.mktemp("forms"))


def dataset(path: Path, **also: object) -> Dataset:
    return read(ReadRequest(captions=path, **also)).dataset  # type: ignore[arg-type]


class TestIdentity:
    @pytest.mark.parametrize("form", FORMS)
    def test_a_collection_in_containers_is_the_one_in_a_folder(
        self, forms: dict[str, Path], form: str
    ) -> None:
        assert detect(forms[form]) == form
        one, other = dataset(forms["folder"]), dataset(forms[form])
        assert (other.fingerprint, other.key) == (one.fingerprint, one.key)

    @pytest.mark.parametrize("form", FORMS)
    def test_it_ranks_as_in_a_folder_to_the_last_digit(
        self, forms: dict[str, Path], tmp_path: Path, form: str
    ) -> None:
        results = []
        for name in ("folder", form):
            store = tmp_path / name
            good("dataset", "add", "d", "--captions", forms[name], "-q", store=store)
            good("evaluate", "d", "--model", "toy", "-q", store=store)
            results.append(good("report", "--format", "csv", store=store).rows)
        told = [[{**row, "created": "", "run": ""} for row in rows] for rows in results]
        assert told[0] == told[1]

    def test_how_shards_are_cut_and_ordered_means_nothing(
        self, forms: dict[str, Path], tmp_path: Path
    ) -> None:
        held = content(forms["folder"])
        cut = [dataset(tars(tmp_path / str(n), held, n)).key for n in (1, 3, 5)]
        assert set(cut) == {dataset(forms["folder"]).key}

    def test_captions_may_be_lists_in_json_whose_other_fields_are_kept(
        self, forms: dict[str, Path], tmp_path: Path
    ) -> None:
        found = read(ReadRequest(json_tar(tmp_path / "j.tar", content(forms["folder"]))))
        assert found.dataset.key == dataset(forms["folder"]).key
        assert (found.columns, found.cells[0]) == (("width",), ("24",))

    def test_a_row_per_caption_is_one_photograph_with_several(
        self, forms: dict[str, Path], tmp_path: Path
    ) -> None:
        held = content(forms["folder"])
        rows = [{"image": {"bytes": d, "path": n}, "text": t} for n, (d, c) in held.items() for t in c]
        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "flat.parquet", row_group_size=5)
        assert dataset(tmp_path / "flat.parquet").key == dataset(forms["folder"]).key

    def test_patterns_stand_for_shards(self, forms: dict[str, Path]) -> None:
        for pattern in ("*.tar", "s-{000..001}.tar", "s-00[01].tar"):
            assert dataset(forms["webdataset"] / pattern).key == dataset(forms["folder"]).key
        with pytest.raises(ClipbenchError, match=r"there is no file .*s-002\.tar"):
            dataset(forms["webdataset"] / "s-{000..002}.tar")
        with pytest.raises(ClipbenchError, match="no file matches"):
            dataset(forms["webdataset"] / "*.tarr", format="webdataset")

    def test_bytes_without_a_name_are_called_by_file_and_row(
        self, forms: dict[str, Path], tmp_path: Path
    ) -> None:
        rows = [{"image": data, "caption": c} for data, c in content(forms["folder"]).values()]
        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "b.parquet")
        assert [s.id for s in dataset(tmp_path / "b.parquet").samples[:2]] == ["b.parquet/0", "b.parquet/1"]

    def test_splits_are_those_that_were_saved(self, forms: dict[str, Path], tmp_path: Path) -> None:
        held = content(forms["folder"])
        names = list(held)
        arrow(tmp_path / "d" / "train", {n: held[n] for n in names[:8]})
        arrow(tmp_path / "d" / "test", {n: held[n] for n in names[8:]}, 1)
        (tmp_path / "d" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
        assert [s.id for s in dataset(tmp_path / "d", split="test").samples] == names[8:]
        with pytest.raises(ClipbenchError, match=r"no split 'dev'; the source has test \(4 images\), train"):
            dataset(tmp_path / "d", split="dev")

    def test_photographs_alone_are_taken_from_containers_too(self, forms: dict[str, Path]) -> None:
        for form in FORMS:
            bare = dataset(forms[form], no_captions=True)
            assert (len(bare.samples), len(bare.captions)) == (12, 0)


class TestUses:
    @pytest.mark.parametrize("form", FORMS)
    def test_every_page_shows_them(self, forms: dict[str, Path], tmp_path: Path, form: str) -> None:
        from clipbench.study.annotation.pictures import photograph as shown

        good("dataset", "add", "d", "--captions", forms[form], "-q")
        assert good("dataset", "lint", "d", "-q").code == 0
        good("evaluate", "d", "--model", "toy", "-q")
        good("report", "--html", tmp_path / "page.html")
        assert "data:image/" in (tmp_path / "page.html").read_text("utf-8")
        one, other = dataset(forms["folder"]), dataset(forms[form])
        assert shown(other, 3, 64).tobytes() == shown(one, 3, 64).tobytes()
        hits = good("search", "red", "--dataset", "d", "--model", "toy", "--sheet", tmp_path / "s.png", "-q")
        assert "p0" in hits.out

    def test_a_photograph_is_read_where_it_lies(self, forms: dict[str, Path]) -> None:
        for form in FORMS:
            found = dataset(forms[form])
            for sample in found.samples:
                place = contained(sample.path or "")
                assert place is not None
                assert (found.image_folder or Path()).joinpath(place.container).is_file()

    def test_a_folder_of_images_beside_containers_is_refused(self, forms: dict[str, Path]) -> None:
        told = refused("dataset", "add", "d", "--captions", forms["parquet"], "--images", forms["folder"])
        assert "the photographs are inside of parquet, so no folder of them is looked at" in told
        good("dataset", "add", "d", "--images", forms["parquet"], "-q")

    def test_without_captions_the_images_folder_may_hold_either(self, forms: dict[str, Path]) -> None:
        for form in ("folder", *FORMS):
            done = good("dataset", "add", form, "--images", forms[form], "--no-captions", "-q")
            assert "12 images, no captions" in done.out

    def test_a_tar_among_photographs_is_none_of_the_collection(self, tmp_path: Path) -> None:
        place = folder(tmp_path / "f", 2)
        tars(tmp_path / "f" / "old", content(place))
        assert detect(place) == "folder"


class TestChanges:
    @pytest.mark.parametrize("form", FORMS)
    def test_a_container_that_is_gone_or_changed_is_named(self, tmp_path: Path, form: str) -> None:
        path = every_form(tmp_path)[form]
        good("dataset", "add", "d", "--captions", path, "-q")
        first = sorted(path.glob("*[0-9].*"))[0]
        data = first.read_bytes()
        first.unlink()
        told = cli("dataset", "lint", "d", "-q").out
        assert f"missing: {first.name}, which holds it, is not there" in " ".join(told.split())
        first.write_bytes(data[: len(data) // 3])
        assert cli("dataset", "lint", "d", "-q").code == 1
        assert first.name in refused("evaluate", "d", "--model", "toy", "-q")
        first.write_bytes(data)
        assert cli("dataset", "lint", "d", "-q").code == 0

    def test_other_bytes_at_its_place_are_not_the_photograph(self, tmp_path: Path) -> None:
        path = tars(tmp_path / "t", content(folder(tmp_path / "f")), 1)
        found = dataset(path)
        tars(tmp_path / "u", content(folder(tmp_path / "g", 13)), 1)
        (tmp_path / "u" / "s-000.tar").replace(path / "s-000.tar")
        sample = found.samples[3]
        with (
            pytest.raises(PhotographError, match=r"what s-000.tar holds there has changed: SHA-256"),
            photograph(path / (sample.path or ""), sample.digest),
        ):
            pass


class TestTars:
    def write(self, path: Path, *members: tuple[str, bytes], **also: object) -> Path:
        with tarfile.open(path, "w") as tar:
            for name, data in members:
                member(tar, name, data, **also)
        return path

    def test_compressed_ones_are_refused_with_what_to_do(self, tmp_path: Path) -> None:
        tar = self.write(tmp_path / "a.tar", ("a.txt", b"x"))
        for name in ("a.tar.gz", "b.tgz", "c.tar"):
            (tmp_path / name).write_bytes(gzip.compress(tar.read_bytes()))
            told = refused("dataset", "add", "d", "--captions", tmp_path / name)
            assert "compressed by gzip, so nothing in it can be read in place" in told
            assert f"gunzip {name}" in told

    @pytest.mark.parametrize(
        ("kind", "word"),
        [(tarfile.SYMTYPE, "a link"), (tarfile.LNKTYPE, "a link"), (tarfile.CHRTYPE, "a device"),
         (tarfile.FIFOTYPE, "a device")],
    )  # fmt: skip
    def test_what_is_no_plain_file_is_refused(self, tmp_path: Path, kind: bytes, word: str) -> None:
        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            info = tarfile.TarInfo("a.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        with pytest.raises(InputError) as caught:
            dataset(tmp_path / "a.tar")
        assert f"member 'a.jpg' is {word}, no plain file" in str(caught.value.problems[0])

    def test_names_that_leave_the_folder_are_refused(self, tmp_path: Path) -> None:
        for name in ("../a.jpg", "/a.jpg", "x/../../a.jpg"):
            with pytest.raises(InputError) as caught:
                dataset(self.write(tmp_path / "a.tar", (name, b"")))
            assert "its name leaves the folder" in str(caught.value.problems[0])

    def test_a_tar_cut_short_or_damaged_is_told(self, tmp_path: Path) -> None:
        whole = (tars(tmp_path / "t", content(folder(tmp_path / "f")), 1) / "s-000.tar").read_bytes()
        bad = tmp_path / "bad.tar"
        bad.write_bytes(whole[:3000])
        with pytest.raises(ClipbenchError, match=r"unexpected end of data|cut short"):
            dataset(bad)
        bad.write_bytes(whole[:1024] + b"\xff" * 512 + whole[1536:])
        with pytest.raises(ClipbenchError, match="is damaged at byte 1,024"):
            dataset(bad)

    def test_a_header_that_announces_a_gigabyte_is_not_read(self, tmp_path: Path) -> None:
        info = tarfile.TarInfo("pax")
        info.type, info.size = tarfile.XHDTYPE, 1 << 30
        with (tmp_path / "a.tar").open("wb") as file:
            file.write(info.tobuf(tarfile.USTAR_FORMAT))
            file.truncate(1 << 31)  # sparse on the disk
        with pytest.raises(ClipbenchError, match="a header of 1,073,741,824 bytes"):
            dataset(tmp_path / "a.tar")

    def test_keys_end_at_the_first_dot_and_several_photographs_need_a_word(self, tmp_path: Path) -> None:
        plain = content(folder(tmp_path / "f", 2))
        (data, words), (mask, _) = plain.values()
        path = self.write(
            tmp_path / "a.tar",
            ("d.1/a.jpg", data), ("d.1/a.seg.png", mask), ("d.1/a.txt", words[0].encode()), ("d.1/.hid", b""),
        )  # fmt: skip
        found = dataset(path)
        assert [(s.id, [c.text for c in s.captions]) for s in found.samples] == [("d.1/a.jpg", [words[0]])]
        chosen = dataset(path, columns=Columns(image="seg.png"))
        assert [s.id for s in chosen.samples] == ["d.1/a.seg.png"]
        twice = self.write(tmp_path / "b.tar", ("a.jpg", data), ("a.png", mask), ("a.txt", b"x"))
        with pytest.raises(InputError) as caught:
            dataset(twice)
        assert "has several photographs: jpg, png (--image-column KIND takes one)" in str(
            caught.value.problems[0]
        )

    def test_captions_that_no_field_is_known_to_hold_are_told_once(self, tmp_path: Path) -> None:
        path = json_tar(tmp_path / "a.tar", content(folder(tmp_path / "f", 5)))
        with pytest.raises(InputError) as caught:
            dataset(path, columns=Columns(caption="words"))
        assert [p.message for p in caught.value.problems] == [
            "sample 'p000': there is no column 'words'; found: captions, width, __key__"
        ]

    def test_names_that_repeat_in_several_shards_begin_with_the_shard(self, tmp_path: Path) -> None:
        held = content(folder(tmp_path / "f", 3))
        (tmp_path / "t").mkdir()
        for shard in ("a.tar", "b.tar"):
            json_tar(tmp_path / "t" / shard, held)
        found = read(ReadRequest(tmp_path / "t"))
        assert [s.id for s in found.dataset.samples[2:4]] == ["a.tar/p002.png", "b.tar/p000.png"]
        assert any("names repeat in several shards" in str(note) for note in found.notes)

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    def test_damage_anywhere_is_an_error_of_ours_or_a_photograph_that_fits(
        self, forms: dict[str, Path], tmp_path: Path, data: st.DataObject
    ) -> None:
        form = data.draw(st.sampled_from(FORMS))
        source = sorted(forms[form].glob("*[0-9].*"))[0]
        damaged = bytearray(source.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        place = tmp_path / "damaged"
        place.mkdir(exist_ok=True)
        (place / source.name).write_bytes(damaged[: data.draw(st.integers(1, len(damaged)))])
        state(place, [source.name])
        (place / "dataset_info.json").write_text("{}")
        try:
            found = dataset(
                place if form == "hf-disk" else place / source.name, format=form, allow_missing=1.0
            )
        except ClipbenchError:
            return
        assert all((s.digest is None) != (s.problem is None) for s in found.samples)


class TestParquet:
    def test_a_name_with_other_bytes_is_told(self, tmp_path: Path) -> None:
        held = content(folder(tmp_path / "f", 2))
        rows = [{"image": {"bytes": d, "path": "image.png"}, "caption": c} for d, c in held.values()]
        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
        with pytest.raises(InputError) as caught:
            dataset(tmp_path / "a.parquet")
        assert "row 2: image image.png is another photograph than in an earlier row" in str(
            caught.value.problems[0]
        )

    def test_pictures_that_lie_elsewhere_are_told(self, tmp_path: Path) -> None:
        rows = [{"image": {"bytes": None, "path": "a.png"}, "caption": "x"}]
        schema = pa.schema([("image", table({}).schema.field("image").type), ("caption", pa.string())])
        parquet.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "a.parquet")
        with pytest.raises(InputError) as caught:
            dataset(tmp_path / "a.parquet")
        assert "a.parquet has no bytes in row 0" in str(caught.value.problems[0])

    @pytest.mark.parametrize("room", [1, 4000, 1 << 28])
    def test_whatever_is_kept_the_bytes_are_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
    ) -> None:
        held = content(folder(tmp_path / "f", 30))
        path = parquets(tmp_path / "p", held, 1, 11) / "part-0.parquet"
        monkeypatch.setattr(parquet_cells, "ROOM", room)
        monkeypatch.setattr(parquet_cells, "PIECE", 3)
        wanted = [data for data, _ in held.values()]
        for row in [*range(30), 29, 0, 17, 16, 3, 28]:
            assert parquet_cells.cell(path, row, 0, 1 << 20) == wanted[row]
        kept = [cells for key, cells in parquet_cells._CELLS.kept.items() if key[0] == path]
        assert len(kept) == 1 or parquet_cells._CELLS.size <= room

    def test_a_row_that_is_not_there_is_told(self, forms: dict[str, Path]) -> None:
        path = forms["parquet"] / "part-0.parquet"
        for row, column in ((6, 0), (10**9, 0), (0, 99)):
            with pytest.raises(PhotographError, match=r"part-0\.parquet"):
                parquet_cells.cell(path, row, column, 1 << 20)


class TestSaved:
    def test_files_outside_of_the_folder_are_refused(self, forms: dict[str, Path], tmp_path: Path) -> None:
        place = arrow(tmp_path / "s", content(forms["folder"]))
        state(place, ["../other.arrow"])
        with pytest.raises(ClipbenchError, match="names a file outside of its folder"):
            dataset(place)
        (place / "link.arrow").symlink_to(forms["hf-disk"] / "data-00000-of-00002.arrow")
        state(place, ["link.arrow"])
        with pytest.raises(InputError):
            dataset(place)
        state(place, ["nope.arrow"])
        with pytest.raises(ClipbenchError, match=r"there is no file .*nope\.arrow"):
            dataset(place)

    def test_compressed_pictures_are_refused_with_what_to_do(
        self, forms: dict[str, Path], tmp_path: Path
    ) -> None:
        options = ipc.IpcWriteOptions(compression="zstd")
        place = arrow(tmp_path / "s", content(forms["folder"]), options=options)
        with pytest.raises(ClipbenchError, match="compressed, so they cannot be read in place"):
            dataset(place)

    def test_what_the_library_itself_saves_is_read_the_same(
        self, forms: dict[str, Path], tmp_path: Path
    ) -> None:
        script = (
            "import datasets as D, glob, sys\n"
            "files = sorted(glob.glob(sys.argv[1] + '/*.png'))\n"
            "told = [open(f[:-3] + 'txt').read().splitlines() for f in files]\n"
            "kinds = D.Features({'image': D.Image(), 'caption': D.Sequence(D.Value('string'))})\n"
            "D.Dataset.from_dict({'image': files, 'caption': told}, features=kinds).save_to_disk(sys.argv[2])\n"
        )
        words = [sys.executable, "-I", "-c", script, str(forms["folder"]), str(tmp_path / "saved")]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        if "No module named" in done.stderr:
            pytest.skip("the library datasets is not installed")
        assert done.returncode == 0, done.stderr
        assert dataset(tmp_path / "saved").key == dataset(forms["folder"]).key


def test_paths_say_where_and_others_say_nothing() -> None:
    assert contained(slice_path("a/b.tar", 5, 7, "x/y.jpg")) == contained("a/b.tar/bytes-5-7/z")
    assert contained(cell_path("b.parquet", 3, 1, "y")) is not None
    for plain in ("a/b.jpg", "bytes-1-2/a.jpg", "row-1-column-2", "a.tar/bytes-1/x", json.dumps({})):
        assert contained(plain) is None
