"""The files a jailed process sees: a small root of its own, Python's installation, the given trees, scratch space.

Built by a process in a fresh mount namespace that still has the right to mount; afterwards the host's
tree is gone from the namespace, so nothing that was not bound can be named.
"""

from __future__ import annotations

import functools
import os
import stat
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import jail_linux as linux
from .jail_types import Feature, Limits, View

_STAGE = Path("/tmp")  # where the new root is put together; any directory of the host would do
_HOST = Path("/.host")  # the host's tree while the view is built
_SCRATCH = Path("/.scratch")
_SCRATCH_INODES = 16384
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_DEVICE_LINKS = {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}  # below /proc/self/fd
_SYSTEM = (
    "/bin", "/lib", "/lib32", "/lib64",
    "/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/share/zoneinfo",
    "/usr/local/bin", "/usr/local/lib", "/usr/local/lib64",
    "/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime",
    "/sys/devices/system/cpu",  # read by numerical libraries that are loaded late
)  # fmt: skip
_PREFIX_PARTS = ("bin", "lib", "lib64", "libexec", "pyvenv.cfg")
_PROC_FILES = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys", "/proc/filesystems")


@dataclass(frozen=True)
class Identity:
    """Who the submission is inside, by number."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Tree:
    """One thing to show: a read-only bind of `source`, or a symbolic link where `link` is set."""

    inside: Path
    source: Path
    link: str = ""


def python_paths() -> tuple[Path, ...]:
    """The running interpreter's own files: prefixes, standard library, site-packages. Never a source checkout."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    found = {Path(prefix, part) for prefix in prefixes for part in _PREFIX_PARTS}
    found |= {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")}
    found |= {path.resolve() for path in found}
    return _outermost(path for path in found if os.access(path, os.R_OK))


def plan(view: View) -> tuple[Tree, ...]:
    """All that is shown read-only, parents before children. Made while the host's tree can still be walked."""
    given = (Tree(Path(inside), Path(host).resolve()) for host, inside in view.readonly)
    return tuple(sorted({*_installation(), *given}, key=lambda tree: (len(tree.inside.parts), tree.inside)))


def device_paths(view: View) -> tuple[str, ...]:
    """Every device node that is shown."""
    return (*_DEVICES, *view.devices)


def hidden_paths(view: View) -> tuple[Path, ...]:
    """Paths covered inside. The scenarios, with their gold loops, lie beside this package when it is installed."""
    return (Path(__file__).resolve().parent.parent / "scenarios", *map(Path, view.hidden))


def visible_without_mounts(view: View, located: dict[str, str]) -> tuple[str, ...]:
    """Host paths that make up the view where nothing can be mounted, with the hidden ones left out."""
    hidden = frozenset(path.resolve() for path in hidden_paths(view))
    shown = (tree.source for tree in plan(view) if str(tree.inside) not in located)
    parts = (str(part) for path in shown for part in _without(path, hidden))
    return (*parts, *located.values(), *_PROC_FILES)


def unreadable_to_others(view: View) -> tuple[str, ...]:
    """Given paths whose mode bars a user other than their owner."""
    return tuple(host for host, _ in view.readonly if not _others_may_read(Path(host)))


def build(view: View, limits: Limits, identity: Identity, features: frozenset[Feature]) -> None:
    """Replace this mount namespace's tree by the view. Raises OSError where the kernel refuses.

    Without Feature.PROC, /proc is an empty directory.
    """
    trees = plan(view)
    linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("tmpfs", _STAGE, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "size=1m,nr_inodes=4096,mode=755")
    Path(f"{_STAGE}{_HOST}").mkdir()
    linux.pivot_root(_STAGE, f"{_STAGE}{_HOST}")
    os.chdir("/")
    _make_devices(view)
    _make_scratch(view, limits, identity)
    Path("/proc").mkdir()
    if Feature.PROC in features:
        linux.mount("proc", "/proc", "proc", linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    _write_accounts(view, identity)
    for tree in trees:
        _show(tree)
    for path in hidden_paths(view):
        _cover(path)
    linux.unmount(_HOST)
    _HOST.rmdir()
    linux.restrict_mount("/", linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV)


@functools.cache
def _installation() -> tuple[Tree, ...]:
    """The system's libraries and Python's, links kept as links."""
    return tuple(
        Tree(path, path.resolve(), str(path.readlink()) if path.is_symlink() else "")
        for path in _outermost((*map(Path, _SYSTEM), *python_paths()))
        if os.access(path, os.R_OK)
    )


def _outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    kept: list[Path] = []
    for path in sorted(set(paths)):  # a directory sorts before what it holds
        if not any(path.is_relative_to(parent) for parent in kept):
            kept.append(path)
    return tuple(kept)


def _without(path: Path, hidden: frozenset[Path]) -> Iterator[Path]:
    """`path`, or the siblings of the hidden paths below it."""
    if path in hidden:
        return
    if any(other.is_relative_to(path) for other in hidden):
        for part in path.iterdir():
            yield from _without(part, hidden)
    else:
        yield path


def _others_may_read(path: Path) -> bool:
    mode = path.stat().st_mode
    wanted = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0)
    return mode & wanted == wanted


def _show(tree: Tree) -> None:
    if tree.link:
        if not os.path.lexists(tree.inside):
            tree.inside.parent.mkdir(parents=True, exist_ok=True)
            tree.inside.symlink_to(tree.link)
        return
    source = Path(f"{_HOST}{tree.source}")
    _make_mountpoint(tree.inside, like=source)
    linux.bind_readonly(source, tree.inside)


def _make_mountpoint(inside: Path, like: Path) -> None:
    if os.path.lexists(inside):
        return
    if like.is_dir():
        inside.mkdir(parents=True)
    else:
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.touch(0o444)


def _make_devices(view: View) -> None:
    Path("/dev/shm").mkdir(parents=True)
    for path in map(Path, device_paths(view)):
        source = Path(f"{_HOST}{path}")
        if source.exists():
            _make_mountpoint(path, like=source)
            linux.mount(source, path, "", linux.MS_BIND)
            linux.restrict_mount(path, linux.MS_NOSUID | linux.MS_NOEXEC)
    for name, target in _DEVICE_LINKS.items():
        Path("/dev", name).symlink_to(f"/proc/self/fd{target}")


def _make_scratch(view: View, limits: Limits, identity: Identity) -> None:
    """One tmpfs, and so one quota, shown at the working directory, /tmp and /dev/shm."""
    options = f"size={limits.tmp_bytes},nr_inodes={_SCRATCH_INODES},mode=755"
    _SCRATCH.mkdir()
    linux.mount("tmpfs", _SCRATCH, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)
    for number, place in enumerate((view.workdir, "/tmp", "/dev/shm")):
        part = _SCRATCH / str(number)
        part.mkdir(0o700)
        os.chown(part, identity.uid, identity.gid)
        Path(place).mkdir(parents=True, exist_ok=True)
        linux.mount(part, place, "", linux.MS_BIND)
    linux.unmount(_SCRATCH)
    _SCRATCH.rmdir()


def _write_accounts(view: View, identity: Identity) -> None:
    files = {
        "passwd": f"jail:x:{identity.uid}:{identity.gid}::{view.workdir}:/bin/false\n",
        "group": f"jail:x:{identity.gid}:\n",
        "hosts": "127.0.0.1 localhost\n::1 localhost\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    }
    Path("/etc").mkdir()
    for name, text in files.items():
        Path("/etc", name).write_text(text)


def _cover(path: Path) -> None:
    """Mount nothing over `path`, if it is there."""
    if path.is_dir():
        linux.mount("tmpfs", path, "tmpfs", linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV, "size=4k,mode=555")
    elif path.exists():
        linux.mount("/dev/null", path, "", linux.MS_BIND)
