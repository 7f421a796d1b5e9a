"""`clipbench store` and `clipbench doctor`: what is there, is it whole, copies, tidying, fitness for work."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, cli, environment, good, refused

from clipbench.store.views import VIEWS


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two datasets, one of them evaluated; tests work on copies."""
    folder = tmp_path_factory.mktemp("built")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder / "a", images=6)
        added(folder / "b", "other", images=3)
        good("evaluate", "toys", "--model", "toy", "--tag", "kept")
    return folder / "store"


@pytest.fixture
def home(built: Path, own_home: Path) -> Path:
    shutil.copytree(built, own_home)
    return own_home


def told(*words: str | Path) -> dict[str, object]:
    return {row["what"]: list(row.values())[1] for row in good("store", *words, "--json").json["rows"]}


def shard(home: Path) -> Path:
    return sorted(home.rglob("*.h5"))[0]


def test_info_counts_what_is_there(home: Path) -> None:
    found = told("info")
    assert (found["datasets"], found["images"], found["captions"]) == ("2", "9", "18")
    assert (found["runs"], found["vectors"], found["vector files"]) == ("1", "18", "2")
    assert str(found["embeddings on disk"]).endswith("kB")
    assert found["artifacts on disk"] == "0 bytes"
    assert str(home) in good("store", "info").out


def test_views_explains_every_column_of_every_view() -> None:
    rows = good("store", "views", "--json").json["rows"]
    assert {(row["view"], row["column"]) for row in rows} == {
        (name, column) for name, view in VIEWS.items() for column in view.columns
    }
    assert all(row["meaning"] for row in rows)


def test_a_real_run_verifies_its_metrics_derived_again(home: Path) -> None:
    for words in (("verify",), ("verify", "--deep")):
        assert told(*words) == {
            "rows": 14, "datasets": 2, "encoders": 1, "perturbations": 1, "vector files": 2, "embedding sets": 2, "texts": 12, "indexes": 0, "runs": 1,
        }  # fmt: skip
    assert "all of it is right" in good("store", "verify").out


@pytest.mark.parametrize(
    "words", [["--fold", "3"], ["--duplicate-aware"], ["--ties", "pessimistic", "--k", "3"], ["--confidence", "0.8"]],
    ids=" ".join,
)  # fmt: skip
def test_every_protocol_verifies(words: list[str], home: Path) -> None:
    good("evaluate", "toys", "--model", "toy", *words)
    assert "all of it is right" in good("store", "verify").out


def test_a_changed_metric_is_found(home: Path) -> None:
    with closing(sqlite3.connect(home / "clipbench.db")) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE metric SET value = 0.123 WHERE name = 'hit@5' AND direction = 't2i'")
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()
    done = cli("store", "verify")
    assert done.code == 1
    assert "2 problems:" in done.out
    assert "it has another digest" in done.out
    assert "t2i hit@5 is" in done.out
    assert "stored 0.123" in done.out


def test_a_damaged_file_is_found_given_up_and_encoded_again(home: Path) -> None:
    before = good("runs", "show", "kept", "--json").json[0]["rows"]
    file = shard(home)
    data = bytearray(file.read_bytes())
    data[len(data) * 3 // 4] ^= 1
    file.write_bytes(data)
    done = cli("store", "verify")
    assert done.code == 1
    assert str(file) in done.out
    assert "have checksum" in refused("embed", "export", "toys", "--model", "toy", "--out", home / "x.h5")
    assert "1 vector shard" in good("store", "gc", "--damaged", "--yes").out
    good("embed", "toys", "--model", "toy")
    assert "all of it is right" in good("store", "verify", "--deep").out
    assert good("runs", "show", "kept", "--json").json[0]["rows"] == before


def test_gc_tells_asks_and_removes_what_nothing_needs(home: Path) -> None:
    assert good("store", "gc").out == "nothing to remove\n"
    old = home / "embeddings" / "left.h5.tmp-1"
    old.write_bytes(b"x" * 5000)
    os.utime(old, (1e9, 1e9))
    dry = good("store", "gc", "--dry-run")
    assert dry.out == "file: left.h5.tmp-1\nin all 1 file (5.0 kB)\n"
    assert "untidy" in good("store", "verify").out
    done = cli("store", "gc", given="n\n")
    assert done.code == 1
    assert old.exists()
    assert good("store", "gc", "--yes").out.endswith("removed 1 file (5.0 kB)\n")
    assert not old.exists()


def test_a_backup_is_a_store_itself_and_overwrites_nothing(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    done = good("store", "backup", copy)
    assert done.out.startswith(f"{copy}: the database and 2 files of vectors and indexes, ")
    assert good("report", "--json", store=copy).out == good("report", "--json").out
    assert "all of it is right" in good("store", "verify", "--deep", store=copy).out
    assert "a backup overwrites nothing" in refused("store", "backup", copy)
    good("evaluate", "toys", "--model", "toy", "--k", "2", store=copy)
    assert told("info")["runs"] == "1", "the copy lives a life of its own"


def write_protected() -> list[str]:
    """Words that run a command without the right to write where permissions forbid it."""
    if os.name == "nt":
        pytest.skip("permissions work differently on Windows")
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write anywhere, and there is no setpriv to give that up")
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", "--bounding-set", rights, "--inh-caps", rights]


def test_a_store_that_may_not_be_written_is_told_in_one_line_and_kept(home: Path) -> None:
    before = (home / "clipbench.db").read_bytes()
    folders = [home, *(path for path in home.rglob("*") if path.is_dir())]
    try:
        for path in [*home.rglob("*"), home]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        line = [
            *write_protected(),
            sys.executable,
            "-m",
            "clipbench",
            "evaluate",
            "toys",
            "--model",
            "toy",
            "--k",
            "3",
        ]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    finally:
        for path in folders:
            path.chmod(0o755)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: the store at {home}: nothing may be written there")
    assert len(done.stderr.splitlines()) == 2
    assert (home / "clipbench.db").read_bytes() == before


def test_doctor_runs_the_metrics_on_known_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clipbench.study.installation import health

    monkeypatch.setattr(health, "installation", lambda _: ())
    monkeypatch.setattr(
        health, "offline", lambda request: health.Examined("offline", passed=True, detail=request.model)
    )
    done = good("doctor", "--self-test", "--json")
    assert len(done.json["rows"]) > 4
    assert {row["result"] for row in done.json["rows"]} == {"ok"}
    assert done.json["notes"][0].endswith("passed")


def test_doctor_exits_1_and_says_what_to_do_where_something_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    from clipbench.study.installation import health

    monkeypatch.setattr(health, "installation", lambda _: ())
    bad = health.Examined("offline: demo", passed=False, detail="missing: it", hint="clipbench fetch it")
    monkeypatch.setattr(health, "offline", lambda _: bad)
    done = cli("doctor")
    assert done.code == 1
    assert "FAILED" in done.out
    assert "1 of 1 failed" in done.out
    assert "offline: demo: clipbench fetch it" in done.out


@pytest.mark.slow
def test_doctor_examines_this_installation(own_home: Path) -> None:
    done = cli("doctor", "--model", "toy", "--json")
    found = {row["what"]: row for row in done.json["rows"]}
    assert {"python", "libraries", "open_clip", "device", "store"} <= set(found)
    assert str(own_home) in found["store"]["detail"]
    assert not own_home.exists(), "to look is not to make"
