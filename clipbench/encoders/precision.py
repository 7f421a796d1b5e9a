"""Where and in which number format a model runs, and what a user should be told about it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from clipbench.encoders.specification import Device, Precision
from clipbench.errors import EncoderError

if TYPE_CHECKING:
    import torch

_CPUINFO = Path("/proc/cpuinfo")


UNITS: Mapping[Precision, tuple[str, ...]] = {
    "bf16": ("avx512_bf16", "amx_bf16"),
    "fp16": ("avx512_fp16", "amx_fp16"),
    "int8": ("avx512_vnni", "avx_vnni", "amx_int8"),
}
"""Flags of processors that are fast in a precision; one is enough."""


def resolve_device(asked: Device, precision: Precision = "fp32") -> str:
    """Return "cuda", "mps" or "cpu"; "auto" takes the first of these that is there, for int8 the CPU.

    Raises EncoderError where the device asked for is not there.
    """
    import torch

    if precision == "int8":
        return "cpu"
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return next(name for name, there in present.items() if there)
    if not present[asked]:
        usable = ", ".join(name for name, there in present.items() if there)
        raise EncoderError(f"there is no {asked} device here; torch sees {usable}", "use --device auto")
    return asked


def labelled(name: str, precision: Precision) -> str:
    """Return what a model in this precision is called in every table: by its name alone in fp32.

    >>> labelled("demo", "fp32"), labelled("demo", "int8")
    ('demo', 'demo (int8)')
    """
    return name if precision == "fp32" else f"{name} ({precision})"


def input_type(precision: Precision) -> torch.dtype:
    """Return the number format of the pixels a model of this precision takes."""
    import torch

    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)


def precision_notes(precision: Precision, device: str) -> tuple[str, ...]:
    """Return what to tell about this precision on this device; empty for the ordinary."""
    if device != "cpu" or precision == "fp32":
        return ()
    units = UNITS[precision]
    flags = cpu_flags()
    if precision == "int8":
        slow = flags is not None and not flags.intersection(units)
        return ("this processor has no int8 units: int8 is hardly faster than fp32",) if slow else ()
    if flags is None:
        return (f"{precision} on a CPU is slower than fp32 unless the processor has {precision} units",)
    if not flags.intersection(units):
        return (f"this processor has no {precision} units: {precision} runs about 4 times slower than fp32",)
    return ()


@cache
def cpu_flags() -> frozenset[str] | None:
    """Return the processor's feature flags, None where the system does not tell (not Linux on x86)."""
    if platform.system() != "Linux" or not _CPUINFO.is_file():
        return None
    for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return frozenset(value.split())
    return None


def exact_fp32(device: str, precision: Precision) -> None:
    """Turn off TF32 in convolutions on CUDA, so that fp32 means fp32 as it does on the CPU.

    torch allows it by default for convolutions (relative error 1e-3), not for matrix products.
    """
    if device == "cuda" and precision == "fp32":
        import torch

        torch.backends.cudnn.allow_tf32 = False
