"""Is this installation fit for work: libraries, device, disk, offline readiness, the metrics' self-test."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from clipbench.encoders.specification import installed_version
from clipbench.errors import ClipbenchError
from clipbench.home import Home
from clipbench.study.embedding.models import ModelRequest, model_spec
from clipbench.study.workplace.environment import library_versions

PARITY = 1e-3
"""Largest difference between two devices' unit vectors in fp32 that counts as the same encoder."""

EXTRAS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "plots": (("matplotlib",), "figures"),
    "parquet": (("pyarrow",), "Parquet tables"),
    "hf": (("transformers",), "--model hf:NAME"),
    "annotate": (
        ("starlette", "uvicorn", "openpyxl", "defusedxml"),
        "the labelling page and Excel tables",
    ),
    "index": (("faiss-cpu", "threadpoolctl"), "approximate indexes"),
    "mlflow": (("mlflow-skinny",), "runs export --mlflow"),
    "milvus": (("pymilvus", "milvus-lite"), "indexes in Milvus"),
    "ray": (("ray", "grpcio"), "--engine ray"),
    "serve": (
        ("fastapi", "uvicorn", "python-multipart", "prometheus-client"),
        "the search service",
    ),
}
"""Optional parts of the installation as pyproject.toml has them: their packages, and what they are for."""

PROBE_TEXTS = ("a red ball left of a blue box", "two dogs run along the beach", "snow")
FREE_GB = 2.0


@dataclass(frozen=True, slots=True)
class Examined:
    """One thing that was looked at. `hint` is the next command where it is not right."""

    name: str
    passed: bool
    detail: str
    hint: str | None = None


def installation(home: Home) -> Iterator[Examined]:
    """Examine Python, libraries, devices and the store's folder."""
    yield Examined("python", passed=True, detail=f"{platform.python_version()} on {platform.platform()}")
    versions = ", ".join(f"{name} {number}" for name, number in library_versions().items())
    yield Examined("libraries", passed=True, detail=versions)
    yield from extras()
    yield _models()
    yield from _devices()
    yield _folder(home)


def extras() -> Iterator[Examined]:
    """Examine which optional parts are installed; what is not is no fault, and says how to get it."""
    for name, (packages, purpose) in EXTRAS.items():
        missing = [package for package in packages if installed_version(package) is None]
        detail = f"for {purpose}"
        if missing:
            detail = f"not installed ({', '.join(missing)}), {detail}: pip install 'clipbench[{name}]'"
        yield Examined(f"extra: {name}", passed=True, detail=detail)


def _models() -> Examined:
    from clipbench.encoders.libraries import require_libraries

    try:
        require_libraries()
    except ClipbenchError as error:
        return Examined("open_clip", passed=False, detail=error.message, hint=error.hint)
    return Examined("open_clip", passed=True, detail="torch, torchvision and open_clip import together")


def _devices() -> Iterator[Examined]:
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Examined(
            "device", passed=False, detail=f"torch does not import: {error}", hint="pip install torch"
        )
        return
    names = [f"cpu ({torch.get_num_threads()} threads)"]
    names += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    yield Examined("device", passed=True, detail=", ".join(names))


def _folder(home: Home) -> Examined:
    place = home.root
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        another = "a store is a folder: --store FOLDER (or CLIPBENCH_STORE)"
        return Examined("store", passed=False, detail=f"{place} is a file", hint=another)
    free = shutil.disk_usage(place).free / 1e9
    writable = os.access(place, os.W_OK)
    detail = f"{home.root}: {free:.1f} GB free, {'writable' if writable else 'not writable'}"
    hint = None if writable and free >= FREE_GB else "--store FOLDER (or CLIPBENCH_STORE) names another place"
    return Examined("store", passed=hint is None, detail=detail, hint=hint)


def offline(request: ModelRequest) -> Examined:
    """Examine whether a model loads without a network, and say what is missing and where it goes."""
    from clipbench.encoders.offline import offline_readiness

    name = f"offline: {request.model}"
    try:
        found = offline_readiness(model_spec(request))
    except ClipbenchError as error:
        return Examined(name, passed=False, detail=error.message, hint=error.hint)
    if found.ready:
        size = sum(Path(path).stat().st_size for path in found.present) / 1e6
        return Examined(name, passed=True, detail=f"ready: {len(found.present)} files, {size:,.0f} MB")
    missing = "; ".join(found.missing)
    cache = f" (cache: {found.cache})" if found.cache else ""
    return Examined(name, passed=False, detail=f"missing: {missing}{cache}", hint=found.hint)


def parity(request: ModelRequest) -> Examined:
    """Examine whether a model gives the same vectors on this machine's best device as on the CPU."""
    from clipbench.encoders.loading import load

    fast = load(model_spec(request))
    if fast.device == "cpu":
        return Examined("device parity", passed=True, detail="only a CPU here, nothing to compare")
    slow = load(model_spec(replace(request, device="cpu")))
    away = np.abs(fast.encode_texts(PROBE_TEXTS).vectors - slow.encode_texts(PROBE_TEXTS).vectors).max()
    detail = f"{fast.device} against cpu: largest difference {away:.1e} (up to {PARITY:g} passes)"
    hint = None if away <= PARITY else "--device cpu gives the reference vectors"
    return Examined("device parity", passed=hint is None, detail=detail, hint=hint)


def self_test() -> Iterator[Examined]:
    """Examine the metrics on cases whose answers are known."""
    from clipbench.metrics.selftest import run

    for check in run():
        hint = None if check.passed else "report this: a metric is wrong on this machine"
        yield Examined(f"self-test: {check.name}", check.passed, check.detail, hint)
