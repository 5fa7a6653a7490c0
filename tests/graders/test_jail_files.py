"""Which files a target sees, reads and writes from inside: those of its view and no other."""

from __future__ import annotations

import ast
import contextlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from graders import jail
from graders.jail import View

from .jailing import AS_ROOT, AS_TREE, EVERY_LINUX_LEVEL, NAMESPACED, Setting, attempts, jailed, succeeded

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("setting", EVERY_LINUX_LEVEL, ids=str)
def test_no_file_of_the_host_can_be_read_written_or_listed(setting: Setting, bait: Path) -> None:
    assert not succeeded(
        setting,
        read=lambda: bait.read_text(),
        write=lambda: bait.write_text("x"),
        append=lambda: bait.open("a").close(),
        truncate=lambda: os.truncate(bait, 0),
        remove=lambda: bait.unlink(),
        rename=lambda: bait.rename(bait.with_suffix(".old")),
        create=lambda: bait.with_name("left-behind").touch(),
        link=lambda: os.link(bait, "stolen"),
        list_folder=lambda: os.listdir(bait.parent),
        checkout=lambda: (CHECKOUT / "pyproject.toml").read_text(),
        scenarios=lambda: os.listdir(CHECKOUT / "scenarios"),
        tests=lambda: os.listdir(CHECKOUT / "tests"),
        home=lambda: os.listdir("/home"),
        var=lambda: os.listdir("/var"),
        shadow=lambda: Path("/etc/shadow").read_text(),
        hostname=lambda: Path("/etc/hostname").read_text(),
        up=lambda: Path("/work/../.host").stat(),
    )
    assert bait.read_text() == "secret"


@pytest.mark.parametrize("setting", NAMESPACED, ids=str)
def test_the_root_holds_the_listed_directories_and_nothing_else(setting: Setting) -> None:
    ran = jailed(lambda fd: os.write(fd, " ".join(os.listdir("/")).encode()), setting)
    system = {"bin", "dev", "etc", "lib", "lib32", "lib64", "proc", "sys", "tmp", "usr", "work"}
    python = {Path(prefix).parts[1] for prefix in (sys.prefix, sys.base_prefix)}
    assert set(ran.received.decode().split()) <= system | python


def test_the_users_home_shows_python_and_nothing_else() -> None:
    """Python may be installed below a home directory; the directories on the way hold nothing else."""
    ran = jailed(lambda fd: os.write(fd, repr([os.listdir(parent) for parent in _parents_of_python()]).encode()))
    assert all(len(names) == 1 for names in eval(ran.received))


def _parents_of_python() -> list[Path]:
    """Directories above the prefix, without the root and those of the system."""
    prefix = Path(sys.base_prefix)
    return [] if prefix.parts[1] in ("usr", "opt") else list(prefix.parents)[:-1]


@pytest.mark.parametrize("setting", NAMESPACED, ids=str)
def test_everything_but_the_scratch_places_is_read_only(setting: Setting) -> None:
    places = {"/scratch", "/tmp", "/dev/shm"}

    def target(fd: int) -> None:
        scratch = {os.stat(place).st_dev for place in places}
        for folder, _, _ in os.walk("/"):
            # An environment that is shown below /tmp has its parent folders in the jail's own /tmp.
            if folder.startswith(("/proc", "/sys")) or (folder not in places and os.stat(folder).st_dev in scratch):
                continue
            with contextlib.suppress(OSError):
                Path(folder, "dropped.py").touch()
                os.write(fd, folder.encode() + b"\n")

    assert set(jailed(target, setting, View((), workdir="/scratch")).received.decode().split()) == places


@pytest.mark.parametrize("setting", NAMESPACED, ids=str)
def test_only_harmless_devices_exist(setting: Setting) -> None:
    def target(fd: int) -> None:
        for folder, _, files in os.walk("/dev"):
            for name in files:
                if not stat.S_ISREG(os.lstat(Path(folder, name)).st_mode):
                    os.write(fd, f"{name}\n".encode())

    allowed = {"null", "zero", "full", "random", "urandom", "stdin", "stdout", "stderr"}
    assert set(jailed(target, setting).received.decode().split()) == allowed


@pytest.mark.parametrize("setting", EVERY_LINUX_LEVEL, ids=str)
def test_hidden_paths_are_covered(setting: Setting, bait: Path) -> None:
    tree = bait.parent / "tree"
    (tree / "gold").mkdir(parents=True)
    (tree / "gold" / "fixed.py").write_text("secret")
    (tree / "key").write_text("secret")
    (tree / "loop.py").write_text("shown")
    where = str(tree)
    hidden = (f"{where}/gold", f"{where}/key")
    target = attempts(
        gold=lambda: (tree / "gold" / "fixed.py").read_text(),
        key=lambda: (tree / "key").read_text() or os.stat("/no/such"),
        loop=lambda: (tree / "loop.py").read_text(),
    )
    ran = jailed(target, setting, View(readonly=((where, where),), hidden=hidden))
    assert ran.received.decode().split() == ["loop"], ran.report


def test_the_scenarios_of_an_installed_package_are_covered_though_site_packages_is_shown(bait: Path) -> None:
    assets = bait.parent / "site-packages" / "ampfix" / "_assets"
    shutil.copytree(CHECKOUT / "graders", assets / "graders", ignore=shutil.ignore_patterns("__pycache__"))
    (assets / "scenarios" / "toy").mkdir(parents=True)
    (assets / "scenarios" / "toy" / "fixed.py").write_text("gold")
    program = f"""
import sys
sys.path[:0] = [{str(assets)!r}, {str(assets.parents[1])!r}]
import os
from graders import jail
def target(fd):
    os.write(fd, repr([os.listdir({str(assets)!r}), os.listdir({str(assets / "scenarios")!r})]).encode())
jail.run(target, jail.View(()), jail.Limits(20, 1 << 28, 9, 1 << 20, 1 << 20, 1 << 20), lambda data: os.write(1, data))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    installed, scenarios = ast.literal_eval(done.stdout)
    assert sorted(installed) == ["graders", "scenarios"] and scenarios == []


def test_resolve_is_the_identity_in_a_mount_namespace_and_names_the_copy_elsewhere(bait: Path) -> None:
    view = View(readonly=((str(bait), "/answer/loop.py"),))

    def target(fd: int) -> None:
        os.write(fd, jail.resolve("/answer/loop.py").encode())

    assert jailed(target, AS_ROOT, view).received == b"/answer/loop.py"
    copy = jailed(target, AS_TREE, view).received.decode()
    assert copy.endswith("/loop.py") and copy != "/answer/loop.py" and not Path(copy).exists()
