"""Find mixed-precision bugs in PyTorch training loops, repair them, and prove the repair by running it."""

__version__ = "0.1.0"
