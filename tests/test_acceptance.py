"""The whole path on real photographs, typed as a new user would, against figures measured independently."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Measured by an independent numpy script on the official test split (1,000 photographs, 5,000 captions);
# rank = 1 + candidates strictly above, float32.
MEASURED = {
    "t2i": {"hit@1": 0.1992, "hit@5": 0.4772, "hit@10": 0.6220, "MedR": 6, "MeanR": 23.3446, "MRR": 0.333205},
    "i2t": {"hit@1": 0.2270, "hit@5": 0.5490, "hit@10": 0.6580, "MedR": 5, "MeanR": 23.4230, "MRR": 0.374439},
}


def clipbench(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "clipbench", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.shared
def test_flickr8k_test_split_agrees_with_an_independent_script_and_the_readme(shared: Path) -> None:
    data, model = shared / "data" / "flickr8k", f"local-dir:{shared / 'models' / 'flickr8k-lite'}"
    sources = ["--images", str(data / "Images"), "--captions", str(data / "Flickr8k.token.txt")]
    split = ["--split-file", str(data / "Flickr_8k.testImages.txt")]
    added = clipbench("dataset", "add", "f8k-test", "--format", "flickr8k", *sources, *split)
    clipbench("dataset", "lint", "f8k-test")
    clipbench("embed", "f8k-test", "--model", model)
    shown = clipbench("evaluate", "f8k-test", "--model", model)
    # The script's rank of a tied query is the best it may have; ours by default is the expected one.
    clipbench("evaluate", "f8k-test", "--model", model, "--ties", "optimistic")
    row = json.loads(clipbench("report", "--json", "--limit", "1"))["rows"][0]

    for direction, numbers in MEASURED.items():
        for name, value in numbers.items():
            found = row[f"{direction} {name}"]
            digits = len(str(value).partition(".")[2])
            assert round(found, digits) == value, f"{direction} {name}"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = [
        line.rstrip() for line in (added + shown).splitlines() if not line.startswith(("run", "intervals"))
    ]
    assert [line for line in told if line and line not in readme] == []


@pytest.mark.shared
def test_real_image_vectors_are_imported_in_the_order_of_their_ids(shared: Path) -> None:
    data, vectors = shared / "data" / "flickr8k", shared / "data" / "vit-b-32-openai-flickr8k"
    clipbench(
        "dataset", "add", "f8k-70", "--images", str(data / "Images"),
        "--captions", str(data / "Flickr8k.token.txt"),
        "--split-file", str(data / "splits-70-15-15" / "test.txt"),
    )  # fmt: skip
    words = ["--images", str(vectors / "test_images.npy"), "--image-ids", str(vectors / "test_images.txt")]
    table = json.loads(clipbench("embed", "import", "f8k-70", "--model", "ViT-B-32 openai", *words, "--json"))
    assert table["rows"][0]["items"] == 1215
    assert table["rows"][0]["dimension"] == 512
