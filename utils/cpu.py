"""What the CPU computes natively, as torch and oneDNN see it. Nothing here imports torch before it is asked."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch_zoo.utils.devices import Precision

log = logging.getLogger(__name__)


def has_packed_products() -> bool:
    """Whether oneDNN multiplies with packed weights faster than torch without them.

    It does with AVX2 and wider vectors; with SSE4.1 it takes twice as long, and other processors may lack it.
    """
    return _has_onednn() and _vectors().startswith("AVX")


def is_native(precision: Precision) -> bool:
    """Whether the CPU has instructions for `precision`; if not, torch emulates them, often ten times slower."""
    import torch

    if precision in ("fp32", "tf32"):
        return True
    if not _has_onednn():
        return False
    if precision == "fp16":
        return torch.ops.mkldnn._is_mkldnn_fp16_supported()
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    # with AVX-512 alone oneDNN emulates bf16 itself, slowly; torch versions that can't tell are believed
    has_bf16 = getattr(torch.cpu, "_is_avx512_bf16_supported", torch.cpu._is_avx512_supported)
    return bool(has_bf16() or not torch.cpu._is_avx512_supported())


@cache  # one line per process, however many networks it runs
def warn_if_emulated(precision: Precision) -> None:
    """Log that the CPU has no instructions for `precision`, and what to choose instead."""
    if not is_native(precision):
        log.warning(
            "precision=%s: this CPU has no %s instructions and emulates them; precision=fp32 is faster and more exact",
            precision,
            precision,
        )


def _has_onednn() -> bool:
    import torch

    return torch.backends.mkldnn.is_available() and bool(torch.backends.mkldnn.enabled)


def _vectors() -> str:
    import torch

    return torch.backends.cpu.get_cpu_capability()
