"""The one error of the emulation: a call into CUDA that a CPU cannot stand in for."""


class UnsupportedCudaApi(RuntimeError):
    """Raised where code asks for something of CUDA that the emulation cannot do; the message says what to do."""
