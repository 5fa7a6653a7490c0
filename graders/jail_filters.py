"""What a jailed process may still ask of the kernel: a seccomp filter and a landlock ruleset.

Both bind the calling process and all that it starts, for good, and need no privilege beyond no_new_privs.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from . import jail_linux as linux

# ---- seccomp -------------------------------------------------------------------------------------------------

# (audit architecture, from linux/audit.h; numbers from the kernel's syscall tables). Calls that a training
# loop has no use for and that reach other processes, mounts, namespaces or seldom-tested kernel code.
_DENIED = {
    "x86_64": (
        0xC000003E,
        {
            "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "pidfd_getfd": 438,
            "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "open_tree": 428, "move_mount": 429,
            "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
            "unshare": 272, "setns": 308, "open_by_handle_at": 304, "name_to_handle_at": 303,
            "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "keyctl": 250, "add_key": 248,
            "request_key": 249, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
            "init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246,
            "kexec_file_load": 320, "reboot": 169, "swapon": 167, "swapoff": 168, "acct": 163, "quotactl": 179,
            "fanotify_init": 300, "sethostname": 170, "setdomainname": 171, "settimeofday": 164,
            "clock_settime": 227, "adjtimex": 159, "clock_adjtime": 305, "syslog": 103, "vhangup": 153,
            "iopl": 172, "ioperm": 173, "modify_ldt": 154,
        },
        {"clone": 56, "clone3": 435, "socket": 41},
    ),
    "aarch64": (
        0xC00000B7,
        {
            "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "pidfd_getfd": 438,
            "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "open_tree": 428, "move_mount": 429,
            "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
            "unshare": 97, "setns": 268, "open_by_handle_at": 265, "name_to_handle_at": 264,
            "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "keyctl": 219, "add_key": 217,
            "request_key": 218, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
            "init_module": 105, "finit_module": 273, "delete_module": 106, "kexec_load": 104,
            "kexec_file_load": 294, "reboot": 142, "swapon": 224, "swapoff": 225, "acct": 89, "quotactl": 60,
            "fanotify_init": 262, "sethostname": 161, "setdomainname": 162, "settimeofday": 170,
            "clock_settime": 112, "adjtimex": 171, "clock_adjtime": 266, "syslog": 116, "vhangup": 58,
        },
        {"clone": 220, "clone3": 435, "socket": 198},
    ),
}  # fmt: skip

# Namespaces confine pathnames and IP; AF_VSOCK, AF_ALG and the like would pass them by.
_SOCKET_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (getifaddrs, which gloo calls)
_NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW* that clone(2) takes
_X32_BIT = 0x40000000

_LOAD, _EQUAL, _GREATER_EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_OFFSET_NUMBER, _OFFSET_ARCHITECTURE, _OFFSET_ARGUMENT_0 = 0, 4, 16
_ALLOW, _KILL_PROCESS = 0x7FFF0000, 0x80000000


def _fail_with(code: int) -> int:
    return 0x00050000 | code  # SECCOMP_RET_ERRNO


def seccomp_supported() -> bool:
    """True where a filter can be written for this machine and the kernel has seccomp."""
    if linux.machine() not in _DENIED:
        return False
    try:
        linux.prctl(21)  # PR_GET_SECCOMP
    except OSError:
        return False
    return True


def seccomp_program(machine: str) -> bytes:
    """The filter as classic BPF instructions (code, jump if true, jump if false, operand)."""
    architecture, denied, special = _DENIED[machine]
    refuse = _fail_with(errno.EPERM)
    rows: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _OFFSET_ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _OFFSET_NUMBER),
    ]
    if machine == "x86_64":
        rows += [(_GREATER_EQUAL, 0, 1, _X32_BIT), (_RETURN, 0, 0, refuse)]
    for number in denied.values():
        rows += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    # The flags of clone3 lie in memory, out of a filter's sight: ENOSYS makes libc fall back to clone.
    rows += [(_EQUAL, 0, 1, special["clone3"]), (_RETURN, 0, 0, _fail_with(errno.ENOSYS))]
    rows += [
        (_EQUAL, 0, 4, special["clone"]),
        (_LOAD, 0, 0, _OFFSET_ARGUMENT_0),
        (_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        (_RETURN, 0, 0, refuse),
        (_RETURN, 0, 0, _ALLOW),
    ]
    rows += [(_EQUAL, 0, len(_SOCKET_FAMILIES) + 2, special["socket"]), (_LOAD, 0, 0, _OFFSET_ARGUMENT_0)]
    for index, family in enumerate(_SOCKET_FAMILIES):
        rows.append((_EQUAL, len(_SOCKET_FAMILIES) - index, 0, family))
    rows += [(_RETURN, 0, 0, _fail_with(errno.EAFNOSUPPORT)), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("HBBI", *row) for row in rows)


def install_seccomp() -> None:
    """Bind the filter to this process. Raises KeyError on an unknown machine, OSError if refused."""
    program = seccomp_program(linux.machine())
    instructions = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(instructions)))
    linux.prctl(linux.PR_SET_SECCOMP, linux.SECCOMP_MODE_FILTER, ctypes.addressof(header))


# ---- landlock ------------------------------------------------------------------------------------------------

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE = 1 << 14
_RIGHTS_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_DEVICE_IOCTL = 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_ONLY_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE_IOCTL
_SCOPE_SIGNALS_AND_ABSTRACT_SOCKETS = 0b11


def landlock_abi() -> int:
    """The kernel's landlock version; 0 where there is none or it is switched off."""
    try:
        return linux.syscall("landlock", linux.SYS_LANDLOCK_CREATE_RULESET, 0, 0, 1)
    except OSError:
        return 0


def install_landlock(readable: Iterable[str], writable: Iterable[str], devices: Iterable[str]) -> None:
    """Allow reading below `readable`, everything below `writable`, reading and writing `devices`.

    From ABI 6 on, signals and abstract sockets stay inside the jail as well. Paths that do not exist are
    left out. Raises OSError if the kernel refuses.
    """
    abi = landlock_abi()
    handled = _RIGHTS_BY_ABI[max(known for known in _RIGHTS_BY_ABI if known <= abi)]
    fields = [handled] if abi < 4 else [handled, 0] if abi < 6 else [handled, 0, _SCOPE_SIGNALS_AND_ABSTRACT_SOCKETS]
    attributes = ctypes.create_string_buffer(struct.pack(f"{len(fields)}Q", *fields), 8 * len(fields))
    ruleset = linux.syscall(
        "landlock", linux.SYS_LANDLOCK_CREATE_RULESET, ctypes.addressof(attributes), 8 * len(fields), 0
    )
    try:
        for path in readable:
            _allow(ruleset, path, _READ)
        for path in writable:
            _allow(ruleset, path, handled)
        for path in devices:
            _allow(ruleset, path, (_READ_FILE | _WRITE_FILE | _DEVICE_IOCTL) & handled)
        linux.syscall("landlock", linux.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):  # what cannot be reached need not be allowed
        return
    try:
        allowed = rights if Path(path).is_dir() else rights & _ONLY_FILES
        rule = ctypes.create_string_buffer(struct.pack("=Qi", allowed, parent), 12)
        linux.syscall(
            "landlock", linux.SYS_LANDLOCK_ADD_RULE, ruleset, 1, ctypes.addressof(rule), 0
        )  # 1: LANDLOCK_RULE_PATH_BENEATH
    finally:
        os.close(parent)
