"""A scenario's contract, read from scenario.toml, and the files beside it.

It knows nothing of how a loop is executed.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from ampfix import assets
from ampfix.lab.checkspec import CheckSpec, Converges, Protocol, Runs
from ampfix.lab.models import Model

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]

SPEC_FILE = "scenario.toml"
TASK_FILE = "task.py"
GOLD_FILE = "fixed.py"
CALIBRATION_FILE = "calibration.json"

_HOW_A_LOOP_RUNS = {"id", "entry", "style", "steps", "snapshot_step", "device", "limits"}


class SpecError(ValueError):
    """A scenario that cannot be used; the message is one line and names the file."""


class Device(Model):
    profile: str = "A100"


class Broken(Model):
    """What is wrong with loop.py: the check that must fail, and the codes that each witness must report."""

    fails: str = "converges"
    static: tuple[str, ...] = ()
    runtime: tuple[str, ...] = ()


class AnswerSpec(Model):
    """An answer with its known verdict: the check that decides it and the reason that it must give."""

    file: str
    expect: Literal["pass", "fail", "invalid_answer"]
    check: str = ""
    reason: str = ""
    note: str = ""

    @property
    def variant(self) -> str:
        return f"answer:{PurePosixPath(self.file).stem}"


class LimitsSpec(Model):
    """What one run may use, where the defaults (several times what the largest scenario needs) do not fit."""

    wall_s: float = Field(default=60.0, gt=0)
    memory_mb: int = Field(default=2048, gt=0)


class ScenarioSpec(Model):
    """One scenario. `root` is its folder; every path in it is relative to that."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    title: str
    family: str
    rules: tuple[str, ...] = ()
    provenance: tuple[str, ...] = ()
    entry: str = "loop.py"
    style: Literal["function", "script", "package"] = "function"
    kind: Literal["bug", "control", "decoy"] = "bug"
    processes: int = Field(default=1, ge=1, le=4)
    steps: int = Field(gt=0)
    snapshot_step: int = Field(gt=0)
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0, 1, 2)
    validated_on: tuple[Literal["cpu", "cuda"], ...] = ("cpu",)
    tags: tuple[str, ...] = ()
    codemod: Literal["safe", "unsafe", "none"] = "safe"
    codemod_reason: str = ""
    device: Device = Device()
    broken: Broken = Broken()
    checks: tuple[CheckSpec, ...] = ()
    answers: tuple[AnswerSpec, ...] = ()
    limits: LimitsSpec = LimitsSpec()
    root: Annotated[Path, Field(exclude=True)]

    @field_validator("entry")
    @classmethod
    def _inside(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or path.suffix != ".py":
            raise ValueError("entry must be a .py file inside the scenario")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> ScenarioSpec:
        names = [check.name for check in self.checks]
        for name in {name for name in names if names.count(name) > 1}:
            raise ValueError(f"check {name!r} is listed twice")
        if self.kind != "control" and self.broken.fails not in {check.name for check in self.all_checks}:
            raise ValueError(f"broken.fails names {self.broken.fails!r}, which is not among the checks")
        for answer in self.answers:
            if answer.check and answer.check not in {check.name for check in self.all_checks}:
                raise ValueError(f"{answer.file} names check {answer.check!r}, which is not among the checks")
        if self.codemod == "none" and not self.codemod_reason:
            raise ValueError('codemod = "none" needs a codemod_reason')
        if self.snapshot_step > self.steps:
            raise ValueError("snapshot_step is larger than steps")
        return self

    @property
    def all_checks(self) -> tuple[CheckSpec, ...]:
        """The checks in order; `runs` always leads, since nothing can be measured of a loop that did not end."""
        rest = tuple(check for check in self.checks if not isinstance(check, Runs))
        return (next((check for check in self.checks if isinstance(check, Runs)), Runs()), *rest)

    @property
    def converges(self) -> Converges:
        """The thresholds of `converges`, its defaults where the scenario does not list it."""
        return next((check for check in self.checks if isinstance(check, Converges)), Converges())

    @property
    def protocol_rules(self) -> tuple[str, ...]:
        """The rules that `protocol` looks at."""
        listed = next((check.rules for check in self.checks if isinstance(check, Protocol)), ())
        return listed or self.rules

    @property
    def own_files(self) -> tuple[str, ...]:
        """What lies beside the loop: the task, and gold where that differs from the loop."""
        return (TASK_FILE,) if self.kind == "control" else (TASK_FILE, GOLD_FILE)

    @property
    def task_file(self) -> Path:
        return self.root / TASK_FILE

    def loop_files(self) -> dict[str, str]:
        """The broken loop's files by path. A package is the whole folder that holds the entry."""
        entry = PurePosixPath(self.entry)
        if self.style != "package":
            return {self.entry: self._read(self.entry)}
        folder = self.root / entry.parts[0]
        return {path.relative_to(self.root).as_posix(): self._text(path) for path in sorted(folder.rglob("*.py"))}

    def gold_files(self) -> dict[str, str]:
        """The loop as it should be. A control is right as it stands."""
        if self.kind == "control":
            return self.loop_files()
        return self.loop_files() | {self.entry: self._read(GOLD_FILE)}

    def answer_bytes(self, answer: AnswerSpec) -> bytes:
        try:
            return (self.root / answer.file).read_bytes()
        except OSError as error:
            raise SpecError(f"{self.root / answer.file}: {error.strerror or error}") from error

    @property
    def content_hash(self) -> str:
        """SHA-256 over all that a run's result depends on: the files, and how they are run. A cache key."""
        digest = hashlib.sha256(self.model_dump_json(include=_HOW_A_LOOP_RUNS).encode())
        if self.processes > 1:  # so that the hashes of loops in one process are what they were before there were others
            digest.update(f"processes {self.processes}".encode())
        named = {name: self._read(name) for name in self.own_files}
        for name, text in sorted((self.loop_files() | named).items()):
            digest.update(f"{name}\0{len(text)}\0{text}".encode())
        return digest.hexdigest()

    def _read(self, name: str) -> str:
        return self._text(self.root / name)

    @staticmethod
    def _text(path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise SpecError(f"{path}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise SpecError(f"{path}: not UTF-8 text") from error


def scenarios_root(folder: Path | None = None) -> Path:
    return folder if folder is not None else assets.path("scenarios")


def load(folder: Path) -> ScenarioSpec:
    """Read one scenario's folder. Raises SpecError with a one-line message."""
    path = folder / SPEC_FILE
    try:
        raw: dict[str, Any] = tomllib.loads(ScenarioSpec._text(path))
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path}: not valid TOML: {error}") from error
    try:
        spec = ScenarioSpec(root=folder.resolve(), **raw)
    except (ValidationError, TypeError) as error:
        raise SpecError(f"{path}: {_one_line(error)}") from error
    if spec.id != folder.name:
        raise SpecError(f"{path}: id {spec.id!r} differs from its folder {folder.name!r}")
    for name in (*spec.own_files, spec.entry, *(answer.file for answer in spec.answers)):
        if not (folder / name).is_file():
            raise SpecError(f"{folder / name}: missing file of scenario {spec.id}")
    return spec


def all_specs(root: Path | None = None) -> list[ScenarioSpec]:
    """Every scenario, by id. Raises SpecError for the first that cannot be read."""
    return [load(folder) for folder in _folders(scenarios_root(root))]


def ids(root: Path | None = None) -> list[str]:
    """The id of every scenario, in order. Raises SpecError."""
    return [folder.name for folder in _folders(scenarios_root(root))]


def find(scenario_id: str, root: Path | None = None) -> ScenarioSpec:
    """One scenario by id. Raises SpecError that names the close ones."""
    known = ids(root)
    if scenario_id not in known:
        raise SpecError(f"unknown scenario {scenario_id!r}: expected one of {', '.join(known) or '(none found)'}")
    return load(scenarios_root(root) / scenario_id)


def owner_of(path: Path, root: Path | None = None) -> str | None:
    """The scenario in whose folder a file lies, None where there is none."""
    base = scenarios_root(root).resolve()
    place = path.resolve()
    return place.relative_to(base).parts[0] if place.is_relative_to(base) and place.parent != base else None


def _folders(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        raise SpecError(f"{root}: no such folder of scenarios")
    yield from sorted(path.parent for path in root.glob(f"*/{SPEC_FILE}"))


def _one_line(error: ValidationError | TypeError) -> str:
    if isinstance(error, TypeError):
        return str(error)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])
