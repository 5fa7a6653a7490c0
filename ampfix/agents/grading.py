"""Grades many answers: each distinct loop is run once, and what was done before is taken from the store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ampfix.agents.answers import Mode, Question, take
from ampfix.agents.diagnosis import Diagnosis, diagnose
from ampfix.agents.edits import EditSize
from ampfix.agents.executors import Executor, Job, Loop
from ampfix.agents.known import Known
from ampfix.agents.predictions import Key, Prediction, Usage, answer_bytes
from ampfix.agents.pressures import NEUTRAL
from ampfix.agents.store import Store, key_of
from ampfix.lab.assembly import unjudged
from ampfix.lab.causes import Status
from ampfix.lab.models import Document
from ampfix.lab.problem import Problem
from ampfix.lab.spec import ScenarioSpec, all_specs
from ampfix.lab.submission import InvalidAnswer, Submission
from ampfix.lab.verdict import Verdict

WINDOW, WINDOW_BYTES = 256, 8 << 20
"""Answers of one scenario that are read, and held in memory, at a time: so many, or so large together. A scenario's
runs are started together, so that no core waits between two windows."""


class Graded(Document):
    """One answer with all that is said about it. line: in its file. taken: what was taken of it.

    diff: from the loop to the answer's, cut where it is longer than people read.
    """

    line: int
    key: Key
    verdict: Verdict
    taken: tuple[str, ...] = ()
    edits: EditSize | None = None
    diff: str = ""
    diagnosis: Diagnosis | None = None
    usage: Usage = Usage()


@dataclass(frozen=True)
class Grader:
    """Where answers are graded, and under which conditions."""

    executor: Executor
    store: Store
    secret: str
    specs: Mapping[str, ScenarioSpec]

    @classmethod
    def on(cls, executor: Executor, store: Store, secret: str | None, scenarios: Path | None) -> Grader:
        """Raises SpecError."""
        return cls(executor, store, secret or store.secret(), {spec.id: spec for spec in all_specs(scenarios)})

    def grade(
        self, path: Path, predictions: Sequence[Prediction], on_progress: Callable[[int, int], None] | None = None
    ) -> Iterator[Graded]:
        """Every prediction of a file, scenario by scenario and in the file's order within each."""
        for key, verdict in self.executor.run_ahead(self._jobs(path, predictions)):
            self._keep(key, verdict)
        done = 0
        for window in _windows(predictions):
            for graded in self._window(path, window):
                done += 1
                if on_progress is not None:
                    on_progress(done, len(predictions))
                yield graded

    def grade_answer(self, key: Key, raw: bytes) -> Graded:
        """One answer that is in no file."""
        prediction = Prediction(line=0, offset=0, length=len(raw), key=key)
        known = self._known(key.scenario_id)
        if known is None:
            return self._unknown(prediction)
        answer = _taken(raw, known.question, key.mode)
        verdicts = self._verdicts(known, [answer] if isinstance(answer, Submission) else [])
        return self._graded(known, prediction, raw, answer, verdicts)

    def _known(self, scenario_id: str) -> Known | None:
        """What is known of a scenario, None where there is none of that name."""
        if scenario_id not in self._facts and scenario_id in self.specs:
            self._facts[scenario_id] = Known.of(self.specs[scenario_id])
        return self._facts.get(scenario_id)

    @cached_property
    def _facts(self) -> dict[str, Known]:
        return {}

    @cached_property
    def _conditions(self) -> dict[str, str]:
        """Asked for once: while a grading runs they do not change."""
        return {**self.executor.conditions(), "secret": self.secret}

    def _window(self, path: Path, window: Sequence[Prediction]) -> Iterator[Graded]:
        known = self._known(window[0].key.scenario_id)
        if known is None:
            yield from map(self._unknown, window)
            return
        read = _read(path, window, known.question)
        verdicts = self._verdicts(known, [answer for _, answer in read if isinstance(answer, Submission)])
        for prediction, (raw, answer) in zip(window, read, strict=True):
            yield self._graded(known, prediction, raw, answer, verdicts)

    def _unknown(self, prediction: Prediction) -> Graded:
        problem = prediction.problem or Problem(
            cause="unknown_scenario", detail=f"no scenario {prediction.key.scenario_id[:80]!r}"
        )
        return self._refused(prediction, problem.cause, problem.detail)

    def _verdicts(self, known: Known, answers: Sequence[Submission]) -> dict[str, Verdict]:
        """The verdict on every distinct loop, by the store's key."""
        found: dict[str, Verdict] = {}
        job = self._job(known, answers, found)
        for key, verdict in self.executor.run(job) if job is not None else ():
            found[key] = verdict
            self._keep(key, verdict)
        return found

    def _jobs(self, path: Path, predictions: Sequence[Prediction]) -> Iterator[Job]:
        """All that is still to be run for a file's predictions, each loop once."""
        asked: set[str] = set()
        for window in _windows(predictions):
            known = self._known(window[0].key.scenario_id)
            if known is not None:
                read = _read(path, window, known.question)
                job = self._job(known, [answer for _, answer in read if isinstance(answer, Submission)], {})
                loops = [loop for loop in job.loops if loop.key not in asked] if job is not None else []
                asked.update(loop.key for loop in loops)
                if job is not None and loops:
                    yield job.model_copy(update={"loops": tuple(loops)})

    def _job(self, known: Known, answers: Sequence[Submission], found: dict[str, Verdict]) -> Job | None:
        """The distinct loops that no verdict is stored for; those that are stored go to `found`."""
        loops: dict[str, Loop] = {}
        for answer in answers:
            files = known.loop(answer)
            key = self._key(known, files)
            if key in found or key in loops:
                continue
            stored = self.store.get(key)
            if stored is not None:
                found[key] = stored
            else:
                loops[key] = Loop(key=key, files=files)
        if not loops:
            return None
        return Job(
            scenario=str(known.spec.root), content=known.content, secret=self.secret, loops=tuple(loops.values())
        )

    def _keep(self, key: str, verdict: Verdict) -> None:
        """A fault of ours is not kept: it is tried again the next time."""
        if verdict.status is not Status.INFRA_ERROR:
            self.store.put(key, verdict)

    def _key(self, known: Known, files: Mapping[str, str]) -> str:
        return key_of({**self._conditions, "scenario": known.content}, files)

    def _graded(
        self,
        known: Known,
        prediction: Prediction,
        raw: bytes,
        answer: Submission | InvalidAnswer,
        verdicts: Mapping[str, Verdict],
    ) -> Graded:
        if isinstance(answer, InvalidAnswer):
            graded = self._refused(prediction, answer.code, str(answer), answer.sha256)
            if prediction.problem is not None:
                return graded
        else:
            files = known.loop(answer)
            verdict = verdicts[self._key(known, files)]
            graded = Graded(
                line=prediction.line,
                key=prediction.key,
                verdict=verdict.model_copy(update={"answer_sha256": answer.sha256}),
                taken=answer.taken,
                edits=known.edits(files),
                diff=known.diff(files),
                usage=prediction.usage,
            )
        return graded.model_copy(update={"diagnosis": self._diagnosis(known.spec, prediction, raw)})

    @staticmethod
    def _diagnosis(spec: ScenarioSpec, prediction: Prediction, raw: bytes) -> Diagnosis | None:
        """None where explaining was not asked for: the answer came by itself, not to one of our requests."""
        pressure = prediction.key.pressure
        if prediction.key.mode is None and pressure == NEUTRAL:
            return None
        return diagnose(raw.decode("utf-8", errors="replace"), spec, pressure)

    def _refused(self, prediction: Prediction, code: str, detail: str, sha256: str = "") -> Graded:
        device, policy = self.executor.device, self.executor.policy
        verdict = unjudged(prediction.key.scenario_id, sha256, code, detail, device, policy)
        return Graded(line=prediction.line, key=prediction.key, verdict=verdict, usage=prediction.usage)


Taken = Submission | InvalidAnswer


def _read(path: Path, window: Sequence[Prediction], question: Question) -> list[tuple[bytes, Taken]]:
    """The answers of some predictions, as given and as taken. Equal ones are looked at once."""
    found: dict[tuple[bytes, Mode | None], Taken] = {}
    read: list[tuple[bytes, Taken]] = []
    for prediction in window:
        if prediction.problem is not None:
            read.append((b"", InvalidAnswer(prediction.problem.cause, prediction.problem.detail, "")))
            continue
        raw, mode = answer_bytes(path, prediction), prediction.key.mode
        if (raw, mode) not in found:
            found[raw, mode] = _taken(raw, question, mode)
        read.append((raw, found[raw, mode]))
    return read


def _taken(raw: bytes, question: Question, mode: Mode | None) -> Submission | InvalidAnswer:
    try:
        return take(raw, question, mode)
    except InvalidAnswer as invalid:
        return invalid
    except Exception as error:  # a fault of ours in reading one answer must not end the grading of the others
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return InvalidAnswer("job_failed", f"reading the answer: {said}", hashlib.sha256(raw).hexdigest())


def _windows(predictions: Sequence[Prediction]) -> Iterator[Sequence[Prediction]]:
    """Predictions by scenario, some at a time: those of one scenario share its reference and its broken loop."""
    by_scenario: dict[str, list[Prediction]] = {}
    for prediction in predictions:
        by_scenario.setdefault(prediction.key.scenario_id, []).append(prediction)
    for group in by_scenario.values():
        window: list[Prediction] = []
        size = 0
        for prediction in group:
            if window and (len(window) == WINDOW or size + prediction.length > WINDOW_BYTES):
                yield window
                window, size = [], 0
            window.append(prediction)
            size += prediction.length
        yield window
