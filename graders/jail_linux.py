"""Linux system calls that Python lacks, through ctypes: each raises OSError and knows nothing of policy."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import platform
import socket
import struct
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 22, 36, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
SECCOMP_MODE_FILTER = 2

# Calls newer than 2011 have one number on every architecture.
SYS_MOUNT_SETATTR = 442
SYS_LANDLOCK_CREATE_RULESET, SYS_LANDLOCK_ADD_RULE, SYS_LANDLOCK_RESTRICT_SELF = 444, 445, 446

_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_SIOCSIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8914, 0x1, 0x40
_CAPABILITY_VERSION_3, _LAST_CAPABILITY = 0x20080522, 63

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(name: str, result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def syscall(name: str, number: int, *arguments: int) -> int:
    """Make system call `number`; `name` is for the error message."""
    return _checked(name, _libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)))


def prctl(option: int, *arguments: int) -> int:
    """prctl(2); every argument is passed as an unsigned long."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return _checked(f"prctl {option}", _libc.prctl(ctypes.c_int(option), *map(ctypes.c_ulong, padded)))


def unshare(flags: int) -> None:
    """unshare(2)."""
    _checked("unshare", _libc.unshare(ctypes.c_int(flags)))


def mount(source: str | Path, target: str | Path, kind: str, flags: int, data: str = "") -> None:
    """mount(2)."""
    result = _libc.mount(os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _checked(f"mount {kind or source} on {target}", result)


def bind_readonly(source: Path, target: Path) -> None:
    """Show `source` with everything mounted below it at `target`, read-only, no setuid, no devices."""
    mount(source, target, "", MS_BIND | MS_REC)
    restrict_mount(target, MS_RDONLY | MS_NOSUID | MS_NODEV, recursive=_AT_RECURSIVE)


def restrict_mount(target: str | Path, flags: int, recursive: int = 0) -> None:
    """Add MS_RDONLY, MS_NOSUID, MS_NODEV or MS_NOEXEC (mount_attr uses the same bits) to a mount."""
    attributes = ctypes.create_string_buffer(struct.pack("QQQQ", flags, 0, 0, 0), 32)
    path = ctypes.create_string_buffer(os.fsencode(target))
    syscall(
        f"mount_setattr {target}",
        SYS_MOUNT_SETATTR,
        _AT_FDCWD,
        ctypes.addressof(path),
        recursive,
        ctypes.addressof(attributes),
        32,
    )


def pivot_root(new: str | Path, old: str | Path) -> None:
    """pivot_root(2)."""
    _checked("pivot_root", _libc.pivot_root(os.fsencode(new), os.fsencode(old)))


def unmount(target: str | Path) -> None:
    """Detach a mount at once, whoever still holds it."""
    _checked(f"umount {target}", _libc.umount2(os.fsencode(target), ctypes.c_int(MNT_DETACH)))


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send a signal when the forking thread dies. A change of identity clears it."""
    prctl(PR_SET_PDEATHSIG, signal_number)


def drop_capability_bound() -> None:
    """Bar every capability from whatever this process may exec; needs CAP_SETPCAP, else it does nothing."""
    # An error means: past the kernel's last capability, or not privileged, and then no_new_privs holds alone.
    with contextlib.suppress(OSError):
        for capability in range(_LAST_CAPABILITY + 1):
            prctl(PR_CAPBSET_DROP, capability)


def drop_capabilities() -> None:
    """Give up every capability this process has."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = ctypes.create_string_buffer(struct.pack("Ii", _CAPABILITY_VERSION_3, 0), 8)
    _checked("capset", _libc.capset(header, ctypes.create_string_buffer(24)))


def bring_loopback_up() -> None:
    """Bring `lo` of the current network namespace up; the kernel gives it 127.0.0.1 and ::1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", _IFF_UP | _IFF_RUNNING)
        fcntl.ioctl(control, _SIOCSIFFLAGS, request)


def erase_environment_block() -> None:
    """Zero the strings that the kernel laid out at exec: clearing os.environ leaves them readable.

    Call it after os.environ was cleared, when nothing points into the block any more.
    """
    with open("/proc/self/stat", "rb") as file:  # noqa: PTH123 - pathlib costs more than the call here
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[47]), int(fields[48])  # env_start and env_end, proc(5) fields 50 and 51
    if 0 < start < end:
        ctypes.memset(start, 0, end - start)


def use_one_malloc_arena() -> None:
    """Keep glibc from reserving address space for each thread; other C libraries do not."""
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(ctypes.c_int(-8), ctypes.c_int(1))  # M_ARENA_MAX


def machine() -> str:
    """x86_64, aarch64, ... as the running kernel calls it."""
    return platform.machine()
