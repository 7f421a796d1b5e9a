"""The process that reads somebody's HDF5 files once, so that it is this one that hangs or fills the memory.

A few wrong bytes make the HDF5 library run in circles for ever, where no Ctrl-C is heard, or ask for gigabytes.
Started as a script of its own by `clipbench.study.embedding.vector_files`; what it can read, the other process can.
Knows h5py and nothing of ours.
"""

from __future__ import annotations

import sys

MEMORY = 2 << 30
"""Bytes of address space it may have beside what the file's size explains."""


def limit_process(size: int) -> None:
    """Let the system refuse memory beyond what a file of this size can need."""
    try:
        import resource
    except ImportError:  # Windows: the time that the other process waits is left
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = MEMORY + 64 * size
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def read_all(path: str, names: list[str]) -> None:
    """Read whatever datasets of these names there are, a million numbers at a time; attributes are `@NAME`."""
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        for name in names:
            if name.startswith("@"):
                file.attrs.get(name[1:])
                continue
            dataset = file.get(name)
            if isinstance(dataset, h5py.Dataset):
                width = max(1, dataset.size // max(1, len(dataset))) if dataset.shape else 1
                step = max(1, (1 << 20) // width)
                for start in range(0, len(dataset) if dataset.shape else 0, step):
                    dataset[start : start + step]


def main() -> None:
    """Read of the files that the command line names last the datasets that it names before: SIZE COUNT NAMES FILES."""
    size, count, *rest = sys.argv[1:]
    limit_process(int(size))
    try:
        for path in rest[int(count) :]:
            read_all(path, rest[: int(count)])
    except Exception as error:  # whatever it is, the other process is told
        sys.stderr.write(f"{type(error).__name__}: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
