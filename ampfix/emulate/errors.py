"""What the emulation cannot do, and how to recognise it in an error. Imports no torch."""

from __future__ import annotations

import re


class UnsupportedCudaApi(RuntimeError):
    """Raised where code asks for something of CUDA that the emulation cannot do; the message says what to do."""


# torch's own words where CUDA is asked for below Python, or where a CPU kernel lacks a dtype that CUDA's has. (Of
# torch's operator database, float16 misses 32 of some 630 entries on a CPU, most of them Fourier transforms.)
_TORCH_SAYS = re.compile(
    r"not implemented for '(Half|BFloat16)'"
    r"|Unsupported dtype Half"
    r"|Torch not compiled with CUDA"
    r"|Found no NVIDIA driver|libcuda\.so cannot found"  # the latter from Triton, as it spells it
    r"|not linked with support for cuda"
    r"|Could not run 'aten::\w+' with arguments from the '(CPU|CUDA)' backend"
    r"|Cannot access accelerator device"
    r"|without ATen_cuda"
    r"|doesn't have NCCL built in"
)


def unsupported_reason(error: BaseException) -> str | None:
    """Why `error` is the emulation's limit rather than the program's fault; None if it is the program's.

    Looks along the chain of causes, since programs wrap what they catch.
    """
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        first_line = next(iter(str(link).splitlines()), "")
        if isinstance(link, UnsupportedCudaApi):
            return first_line
        if isinstance(link, (RuntimeError, AssertionError)) and _TORCH_SAYS.search(str(link)):
            return f"{type(link).__name__}: {first_line}"
        link = link.__cause__ or link.__context__
    return None
