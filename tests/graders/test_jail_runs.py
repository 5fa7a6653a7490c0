"""What an honest target gets from the jail, and what the report says of how it ended."""

from __future__ import annotations

import multiprocessing
import multiprocessing.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from graders import jail
from graders.jail import Feature, Outcome, View

from .jailing import (
    AS_GROUP,
    AS_ROOT,
    AS_TREE,
    AS_USER,
    EVERY_LINUX_LEVEL,
    NAMESPACED,
    Setting,
    jailed,
    open_up,
    orphans,
)

EVERY_LEVEL = (*EVERY_LINUX_LEVEL, AS_GROUP)


@pytest.fixture
def answer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that every user may read, with one file in it."""
    folder = tmp_path_factory.mktemp("answer")
    (folder / "loop.py").write_text("LEARNING_RATE = 0.5\n")
    open_up(folder / "loop.py")
    return folder


@pytest.mark.parametrize("setting", EVERY_LEVEL, ids=str)
def test_what_the_target_writes_arrives_in_order_and_whole(setting: Setting) -> None:
    def target(fd: int) -> None:
        for number in range(5):
            os.write(fd, bytes([number]) * 100_000)

    ran = jailed(target, setting)
    assert ran.report.outcome is Outcome.EXITED and ran.report.exit_code == 0
    assert ran.received == b"".join(bytes([number]) * 100_000 for number in range(5))


@pytest.mark.parametrize("setting", EVERY_LEVEL, ids=str)
def test_given_files_are_readable_and_the_working_directory_is_writable_and_gone_afterwards(
    setting: Setting, answer: Path
) -> None:
    def target(fd: int) -> None:
        source = Path(jail.resolve("/answer/loop.py")).read_text()
        Path("checkpoint.pt").write_text(source)
        Path(os.environ["TMPDIR"], "cache").write_text("x")
        os.write(fd, f"{Path('checkpoint.pt').resolve()}\n{source}".encode())

    ran = jailed(target, setting, View(readonly=((str(answer), "/answer"),)))
    assert ran.report.outcome is Outcome.EXITED, ran.report
    place, source = ran.received.decode().split("\n", 1)
    assert source == "LEARNING_RATE = 0.5\n"
    assert not Path(place).exists() and not orphans()


@pytest.mark.parametrize("setting", NAMESPACED, ids=str)
def test_a_tree_may_be_shown_anywhere_even_inside_the_working_directory(setting: Setting, answer: Path) -> None:
    (answer / "link.py").symlink_to(answer / "loop.py")
    given = ((str(answer), "/deep/er/answer"), (str(answer / "link.py"), "/work/task.py"))

    def target(fd: int) -> None:
        os.write(fd, Path("task.py").read_bytes() + Path("/deep/er/answer/loop.py").read_bytes())

    assert jailed(target, setting, View(readonly=given)).received == b"LEARNING_RATE = 0.5\n" * 2


@pytest.mark.parametrize("setting", EVERY_LEVEL, ids=str)
@pytest.mark.parametrize(("leave", "code"), [(3, 3), (None, 0), (True, 1), ("a message", 1), (256 + 7, 7)])
def test_sys_exit_gives_the_code_an_interpreter_would(setting: Setting, leave: object, code: int) -> None:
    report = jailed(lambda fd: sys.exit(leave), setting).report
    assert (report.outcome, report.exit_code) == (Outcome.EXITED, code)


@pytest.mark.parametrize("setting", NAMESPACED, ids=str)
def test_temporary_files_go_where_they_may_though_the_server_used_another_place(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setitem(multiprocessing.current_process()._config, "tempdir", str(tmp_path))

    def target(fd: int) -> None:
        with tempfile.NamedTemporaryFile() as file:
            os.write(fd, f"{file.name} {multiprocessing.util.get_temp_dir()}".encode())

    places = jailed(target, setting).received.decode().split()
    assert len(places) == 2 and not any(place.startswith(str(tmp_path)) for place in places)


def test_an_uncaught_exception_is_told_with_its_traceback() -> None:
    def target(fd: int) -> None:
        print("before")
        raise ValueError("no such thing")

    report = jailed(target).report
    assert (report.outcome, report.exit_code) == (Outcome.EXITED, 1)
    assert report.output.startswith("before\n") or report.output.endswith("before\n")
    assert "ValueError: no such thing" in report.output


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_a_fatal_signal_is_named(number: signal.Signals) -> None:
    report = jailed(lambda fd: os.kill(os.getpid(), number)).report
    assert (report.outcome, report.signal, report.exit_code) == (Outcome.KILLED_BY_SIGNAL, number, None)


def test_wall_time_is_the_supervisors() -> None:
    def target(fd: int) -> None:
        for name in ("time", "monotonic", "perf_counter"):
            setattr(time, name, lambda: 0.0)
        time.sleep(1.0)

    # The clock starts when the supervisor reads that the target is about to: on a busy machine a little late.
    assert jailed(target).report.wall_s > 0.5


def test_threads_and_worker_processes_work() -> None:
    """What a DataLoader needs: fork, queues over shared semaphores, shared memory, threads."""

    def work(queue: multiprocessing.Queue) -> None:
        queue.put(os.getpid())

    def target(fd: int) -> None:
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        workers = [context.Process(target=work, args=(queue,)) for _ in range(2)]
        threads = [threading.Thread(target=os.write, args=(fd, b"t")) for _ in range(2)]
        for started in (*workers, *threads):
            started.start()
        assert {queue.get(timeout=100) for _ in workers} == {worker.pid for worker in workers}
        for started in (*workers, *threads):
            started.join()

    ran = jailed(target)
    assert ran.report.exit_code == 0, ran.report.output
    assert ran.received == b"tt"


@pytest.mark.parametrize("setting", NAMESPACED, ids=str)
def test_loopback_connects_the_jails_own_processes(setting: Setting) -> None:
    def target(fd: int) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = server.getsockname()
            if os.fork() == 0:
                with socket.socket() as client:
                    client.connect(address)
                    client.sendall(b"gradients")
                os._exit(0)
            os.write(fd, server.accept()[0].recv(100))

    assert jailed(target, setting).received == b"gradients"


def test_the_interpreter_can_be_started_again_with_its_packages() -> None:
    """Spawned workers exec the interpreter: its installation has to be there."""

    def target(fd: int) -> None:
        program = "import json, decimal, safetensors; print(json.dumps(safetensors.__version__))"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        os.write(fd, (done.stdout + done.stderr).encode())

    import safetensors

    assert jailed(target).received.decode().strip() == f'"{safetensors.__version__}"'


def test_a_path_that_does_not_exist_fails_the_setup_and_blames_nobody() -> None:
    report = jailed(lambda fd: None, view=View(readonly=(("/no/such/path", "/answer"),))).report
    assert report.outcome is Outcome.SETUP_FAILED and "/no/such/path" in report.detail


def test_a_path_the_jails_user_could_not_read_is_refused_by_name(tmp_path: Path) -> None:
    secret = tmp_path / "init.safetensors"
    secret.write_text("x")
    secret.chmod(0o600)
    report = jailed(lambda fd: None, view=View(readonly=((str(secret), "/init"),))).report
    assert report.outcome is Outcome.SETUP_FAILED and str(secret) in report.detail


def test_the_strongest_level_leaves_nothing_open_that_a_weaker_one_closes() -> None:
    best = jail.probe()
    if subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("this machine has no namespaces to offer")
    assert best.name == "namespaces" and best.features >= {Feature.PID, Feature.MOUNT, Feature.NET, Feature.SECCOMP}
    assert set(best.undefended) < set(AS_TREE.level().undefended) < set(AS_GROUP.level().undefended)
    assert "pid_namespace" in str(best)


@pytest.mark.parametrize(("setting", "identity"), [(AS_ROOT, Feature.UID), (AS_USER, Feature.USER)], ids=str)
def test_a_level_names_the_identity_that_it_really_gives(setting: Setting, identity: Feature) -> None:
    assert {Feature.UID, Feature.USER} & jailed(lambda fd: None, setting).report.level.features == {identity}


def test_a_run_at_a_weak_level_says_so_in_its_report() -> None:
    report = jailed(lambda fd: None, AS_TREE).report
    assert report.level == AS_TREE.level()
    assert "the host's network" in report.level.undefended


@pytest.mark.parametrize("setting", (AS_ROOT, AS_TREE), ids=str)
def test_cancelling_ends_the_run(setting: Setting) -> None:
    read, write = os.pipe()
    os.close(write)  # a server that closes its end wants the run ended
    report = jailed(lambda fd: time.sleep(60), setting, cancel_fd=read).report
    os.close(read)
    assert report.outcome is Outcome.CANCELLED and report.wall_s < 10


def test_a_sink_that_refuses_ends_the_run_with_its_reason() -> None:
    def refuse(data: bytes) -> None:
        raise jail.Refused("a frame of 4 GiB was announced")

    def target(fd: int) -> None:
        os.write(fd, b"x")
        time.sleep(60)

    report = jailed(target, sink=refuse).report
    assert (report.outcome, report.detail) == (Outcome.REFUSED, "a frame of 4 GiB was announced")


def test_a_sink_that_breaks_leaves_nothing_running() -> None:
    from .jailing import eventually, name_process, processes_named

    def broken(data: bytes) -> None:
        raise RuntimeError("the server's own fault")

    def target(fd: int) -> None:
        name_process("sink")
        os.write(fd, b"x")
        time.sleep(60)

    with pytest.raises(AssertionError, match="the server's own fault"):
        jailed(target, sink=broken)
    assert eventually(lambda: not processes_named("sink"))
