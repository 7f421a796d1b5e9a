"""Kill `clipbench embed` and `clipbench evaluate` with SIGKILL at random moments, many times.

    python benchmarks/kill_embed.py 200 --seed 7

After every kill the store is verified and everything acknowledged before must be there; whenever a store
is finished it must equal an undisturbed one to the bit. Ends with 1 and the difference otherwise. The
suite does the same with 20 kills (tests/test_study_kill.py).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from kill_toys import collection, disturb, undisturbed


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill clipbench at random moments and look at what it left.")
    parser.add_argument("kills", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=160)
    parser.add_argument("--captions", type=int, default=6, help="captions an image")
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        toys = collection(Path(folder) / "toys", asked.images, asked.captions)
        reference = undisturbed(toys, Path(folder) / "reference")
        homes = (Path(folder) / f"store{number}" for number in count())
        outcome = disturb(toys, homes, reference, asked.kills, asked.seed, say=print)
    print(
        f"{outcome.kills} kills, {outcome.midway} of them with something new stored, {outcome.stores} stores "
        f"finished, all equal to the undisturbed one; {time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
