"""The jail's parts by themselves: the system call filter, control groups on other layouts, the file plan."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graders import jail_cgroup, jail_filters, jail_view
from graders.jail import Feature, IsolationLevel, View
from graders.jail_inside import Cell, resolve

# ---- the filter, run by an interpreter of the same instructions ------------------------------------------------

ALLOW, KILL = 0x7FFF0000, 0x80000000
MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CLONE = {"x86_64": 56, "aarch64": 220}
SOCKET = {"x86_64": 41, "aarch64": 198}
CLONE3 = 435
# read, write, openat, mmap, futex, exit_group, prctl, prlimit64, kill, wait4, memfd_create, epoll_wait, execve
EVERYDAY = {
    "x86_64": (0, 1, 257, 9, 202, 231, 157, 302, 62, 61, 319, 232, 59),
    "aarch64": (63, 64, 56, 222, 98, 94, 167, 261, 129, 260, 279, 22, 221),
}


def refuse(code: int) -> int:
    return 0x00050000 | code


def verdict(machine: str, number: int, argument: int = 0, architecture: int | None = None) -> int:
    """What the filter returns for a system call, by the semantics of classic BPF."""
    data = struct.pack("IIQ6Q", number, architecture or MACHINES[machine], 0, argument, 0, 0, 0, 0, 0)
    rows = list(struct.iter_unpack("HBBI", jail_filters.seccomp_program(machine)))
    accumulator, position = 0, 0
    while True:
        code, if_true, if_false, operand = rows[position]
        position += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            accumulator = struct.unpack_from("I", data, operand)[0]
        else:
            holds = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: bool(accumulator & operand)}
            position += if_true if holds[code] else if_false


@pytest.mark.parametrize("machine", MACHINES)
def test_every_listed_call_is_refused_and_everyday_ones_pass(machine: str) -> None:
    for name, number in jail_filters._DENIED[machine][1].items():
        assert verdict(machine, number) == refuse(errno.EPERM), name
    assert {verdict(machine, number) for number in EVERYDAY[machine]} == {ALLOW}


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_another_architecture_kill_the_process(machine: str) -> None:
    assert verdict(machine, 0, architecture=0x40000003) == KILL  # i386, whose numbers mean other calls


def test_the_second_numbering_of_x86_64_is_refused() -> None:
    assert verdict("x86_64", 0x40000000 | 165) == refuse(errno.EPERM)


@pytest.mark.parametrize("machine", MACHINES)
def test_threads_and_forks_pass_and_new_namespaces_do_not(machine: str) -> None:
    assert verdict(machine, CLONE[machine], 0x003D0F00) == ALLOW  # what pthread_create asks for
    assert verdict(machine, CLONE[machine], 0x01200011) == ALLOW  # what fork asks for
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert verdict(machine, CLONE[machine], flag | 17) == refuse(errno.EPERM)
    assert verdict(machine, CLONE3) == refuse(errno.ENOSYS)  # libc falls back to clone


@pytest.mark.parametrize("machine", MACHINES)
@given(family=st.integers(0, 2**32 - 1))
def test_only_local_and_ip_sockets_can_be_made(machine: str, family: int) -> None:
    expected = ALLOW if family in (1, 2, 10, 16) else refuse(errno.EAFNOSUPPORT)
    assert verdict(machine, SOCKET[machine], family) == expected


@pytest.mark.parametrize("machine", MACHINES)
@given(number=st.integers(0, 500), argument=st.integers(0, 2**64 - 1))
def test_the_filter_ends_for_every_call_with_a_known_answer(machine: str, number: int, argument: int) -> None:
    answers = {ALLOW, refuse(errno.EPERM), refuse(errno.ENOSYS), refuse(errno.EAFNOSUPPORT)}
    assert verdict(machine, number, argument) in answers


# ---- control groups --------------------------------------------------------------------------------------------


def _machine(tmp_path: Path, own: str, mounts: str) -> Path:
    """A /proc/self with these two files, whose mount points lie below tmp_path."""
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text(own)
    (proc / "mountinfo").write_text(mounts.replace("AT", str(tmp_path)))
    return proc


def _group(folder: Path, controllers: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "cgroup.procs").touch()
    if controllers:
        (folder / "cgroup.subtree_control").write_text(controllers + "\n")
    return folder


def test_version_1_groups_lie_below_the_process_own_in_each_hierarchy(tmp_path: Path) -> None:
    memory, pids = _group(tmp_path / "memory" / "user" / "me"), _group(tmp_path / "pids")
    proc = _machine(
        tmp_path,
        "8:pids:/\n4:memory:/user/me\n1:name=systemd:/\n0::/\n",
        "30 20 0:25 / AT/memory rw - cgroup cgroup rw,memory\n"
        "31 20 0:26 / AT/pids rw shared:9 - cgroup cgroup rw,pids\n"
        "32 20 0:27 / AT rw - tmpfs tmpfs rw\n",
    )
    groups = jail_cgroup.writable_groups(proc)
    assert [(group.version, group.controllers, group.parent) for group in groups] == [
        (1, ("memory",), memory),
        (1, ("pids",), pids),
    ]
    assert jail_cgroup.reached(groups) == {Feature.CGROUP_MEMORY, Feature.CGROUP_PIDS}


def test_version_2_uses_the_own_group_where_it_passes_controllers_on(tmp_path: Path) -> None:
    own = _group(tmp_path / "unified" / "job", "cpu memory pids")
    proc = _machine(tmp_path, "0::/job\n", "30 20 0:25 / AT/unified rw - cgroup2 cgroup2 rw\n")
    assert jail_cgroup.writable_groups(proc) == (jail_cgroup.Group(2, ("memory", "pids"), own, own),)


def test_version_2_uses_a_sibling_where_the_own_group_holds_processes(tmp_path: Path) -> None:
    parent = _group(tmp_path / "unified" / "slice", "memory pids")
    _group(parent / "service")
    (parent / "service" / "cgroup.subtree_control").write_text("\n")
    proc = _machine(tmp_path, "0::/slice/service\n", "30 20 0:25 / AT/unified rw - cgroup2 cgroup2 rw\n")
    assert jail_cgroup.writable_groups(proc) == (jail_cgroup.Group(2, ("memory", "pids"), parent, parent / "service"),)


def test_a_mount_that_shows_a_part_of_the_hierarchy_is_understood(tmp_path: Path) -> None:
    own = _group(tmp_path / "unified" / "inner", "pids")
    proc = _machine(tmp_path, "0::/docker/abc/inner\n", "30 20 0:25 /docker/abc AT/unified rw - cgroup2 cgroup2 rw\n")
    assert jail_cgroup.writable_groups(proc) == (jail_cgroup.Group(2, ("pids",), own, own),)


@pytest.mark.parametrize("own", ["", "0::/gone\n"])
def test_without_a_writable_group_there_is_none(tmp_path: Path, own: str) -> None:
    proc = _machine(tmp_path, own, "30 20 0:25 / AT/unified ro - cgroup2 cgroup2 ro\n")
    assert jail_cgroup.writable_groups(proc) == ()
    assert jail_cgroup.writable_groups(tmp_path / "no-proc") == ()


def test_a_lease_sets_its_limits_opens_its_groups_and_goes(tmp_path: Path) -> None:
    class Staged(type(tmp_path)):  # type: ignore[misc]
        """A directory that comes with its files, as the kernel makes them."""

        def mkdir(self, *args: object) -> None:
            super().mkdir()
            (self / "cgroup.procs").touch()

    group = jail_cgroup.Group(2, ("memory", "pids"), tmp_path, tmp_path)
    place = Staged(jail_cgroup.new_directories((group,))[0])
    lease = jail_cgroup.Lease((group,), (place,), 1000, 7)
    assert (place / "memory.max").read_text() == "1000" and (place / "pids.max").read_text() == "7"
    assert len(lease.join_fds) == 1
    (place / "memory.events").write_text("low 0\nmax 9\noom_kill 3\n")
    assert lease.oom_kills() == 3
    lease.release_files()
    assert lease.join_fds == ()


def test_the_janitor_first_joins_the_group_it_is_in(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "scratch").mkdir()
    group = jail_cgroup.Group(1, ("pids",), tmp_path, tmp_path / "own")
    with jail_cgroup.janitor(str(tmp_path / "scratch"), (group,), ()) as shell:
        assert shell
    assert (tmp_path / "own" / "cgroup.procs").read_text() == "0\n"
    assert not (tmp_path / "scratch").exists()


# ---- the view --------------------------------------------------------------------------------------------------


def test_parents_are_shown_before_what_lies_in_them(tmp_path: Path) -> None:
    view = View(readonly=((str(tmp_path), "/a/b/c"), (str(tmp_path), "/a"), (str(tmp_path), "/a/b")))
    inside = [tree.inside for tree in jail_view.plan(view)]
    for number, path in enumerate(inside):
        assert not any(later in path.parents for later in inside[number + 1 :])


def test_python_itself_is_shown_and_the_checkout_is_not() -> None:
    checkout = Path(__file__).resolve().parents[2]
    shown = jail_view.python_paths()
    assert any(Path(os.__file__).resolve().is_relative_to(path.resolve()) for path in shown)
    for secret in ("scenarios", "tests", "graders", "ampfix", ".git"):
        assert not any((checkout / secret).is_relative_to(path) for path in shown)


def test_a_weaker_level_shows_the_siblings_of_what_is_hidden(tmp_path: Path) -> None:
    for name in ("task.py", "gold/fixed.py", "deep/er/key", "deep/er/open"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    where = str(tmp_path)
    view = View(readonly=((where, where),), hidden=(f"{where}/gold", f"{where}/deep/er/key"))
    shown = {path for path in jail_view.visible_without_mounts(view, {}) if path.startswith(where)}
    assert shown == {f"{where}/task.py", f"{where}/deep/er/open"}


def test_paths_resolve_to_themselves_outside_the_jail() -> None:
    assert resolve("/answer/loop.py") == "/answer/loop.py"


def test_a_level_says_what_it_leaves_open() -> None:
    everything = IsolationLevel("all", frozenset(Feature))
    nothing = IsolationLevel("none", frozenset())
    assert everything.undefended == ()
    assert len(nothing.undefended) == len(set(nothing.undefended)) >= 9
    assert IsolationLevel("landlock", frozenset({Feature.LANDLOCK})).undefended[0] != nothing.undefended[0]


def test_nothing_that_the_inner_processes_know_is_a_secret() -> None:
    """What a cell holds lies in the submission's memory: it must stay a matter of limits and paths."""
    assert set(Cell.__dataclass_fields__) == {
        "view",
        "limits",
        "level",
        "identity",
        "process_limit",
        "address_space",
        "located",
        "cgroup_fds",
    }
