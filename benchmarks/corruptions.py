"""How long every image corruption takes: milliseconds per 224 × 224 picture on one core.

Run: OMP_NUM_THREADS=1 python benchmarks/corruptions.py [--side 224] [--repeats 5]
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from clipbench.perturb.image_audit import difference
from clipbench.perturb.image_operations import IMAGE_OPERATIONS
from clipbench.perturb.image_pixels import Pixels
from clipbench.perturb.image_streams import generator


def picture(side: int) -> Pixels:
    """Draw a smooth picture with some grain: natural enough for JPEG and for the Poisson sampler."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    waves = np.stack([np.sin(5 * x + 3 * y), np.cos(4 * y - x), np.sin(7 * x * y)], axis=-1)
    grain = rng.normal(0, 6, (side, side, 3))
    return np.clip(128 + 90 * waves + grain, 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    pixels = picture(arguments.side)
    print(f"median milliseconds per {arguments.side} × {arguments.side} picture, by severity")
    for operation in IMAGE_OPERATIONS:
        medians = []
        for level in operation.levels:
            severity, times = int(level), []
            for repeat in range(arguments.repeats + 1):
                stream = generator(operation.name, 0, str(repeat), severity)
                started = time.perf_counter()
                operation.apply(pixels, severity, stream)
                times.append(1000 * (time.perf_counter() - started))
            medians.append(statistics.median(times[1:]))  # the first call imports and warms up
        print(f"{operation.name:16}" + "".join(f"{median:8.1f}" for median in medians))
    noisy = IMAGE_OPERATIONS[0].apply(pixels, 3, generator("gaussian-noise", 0, "audit", 3))
    times = []
    for _ in range(arguments.repeats + 1):
        started = time.perf_counter()
        difference(pixels, noisy)
        times.append(1000 * (time.perf_counter() - started))
    print(f"{'PSNR and SSIM':16}{statistics.median(times[1:]):8.1f}")


if __name__ == "__main__":
    main()
