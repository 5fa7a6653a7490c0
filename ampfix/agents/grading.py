"""Grades many answers: each distinct loop is run once, and what was done before is taken from the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ampfix.agents.answers import Mode, Question, take
from ampfix.agents.diagnosis import Diagnosis, diagnose
from ampfix.agents.edits import EditSize, edit_size, shown_diff
from ampfix.agents.executors import Executor, Job, Loop
from ampfix.agents.predictions import Key, Prediction, Problem, Usage, answer_bytes
from ampfix.agents.pressures import NEUTRAL
from ampfix.agents.store import Store, key_of
from ampfix.lab.assembly import unjudged
from ampfix.lab.causes import Status
from ampfix.lab.models import Document
from ampfix.lab.spec import ScenarioSpec, all_specs
from ampfix.lab.submission import InvalidAnswer, Submission
from ampfix.lab.verdict import Verdict

WINDOW = 32
"""Answers of one scenario that are read, and held in memory, at a time."""


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
        spec = self.specs.get(key.scenario_id)
        if spec is None:
            return self._refused(prediction, "unknown_scenario", f"no scenario {key.scenario_id[:80]!r}")
        answer = _taken(raw, Question.of(spec), key.mode)
        verdicts = self._verdicts(spec, [answer] if isinstance(answer, Submission) else [])
        return self._graded(spec, prediction, raw, answer, verdicts)

    def _window(self, path: Path, window: Sequence[Prediction]) -> Iterator[Graded]:
        spec = self.specs.get(window[0].key.scenario_id)
        if spec is None:
            for prediction in window:
                problem = prediction.problem or Problem(
                    code="unknown_scenario", detail=f"no scenario {prediction.key.scenario_id[:80]!r}"
                )
                yield self._refused(prediction, problem.code, problem.detail)
            return
        question = Question.of(spec)
        read = [self._read(path, prediction, question) for prediction in window]
        verdicts = self._verdicts(spec, [answer for _, answer in read if isinstance(answer, Submission)])
        for prediction, (raw, answer) in zip(window, read, strict=True):
            yield self._graded(spec, prediction, raw, answer, verdicts)

    @staticmethod
    def _read(path: Path, prediction: Prediction, question: Question) -> tuple[bytes, Submission | InvalidAnswer]:
        if prediction.problem is not None:
            return b"", InvalidAnswer(prediction.problem.code, prediction.problem.detail, "")
        raw = answer_bytes(path, prediction)
        return raw, _taken(raw, question, prediction.key.mode)

    def _verdicts(self, spec: ScenarioSpec, answers: Sequence[Submission]) -> dict[str, Verdict]:
        """The verdict on every distinct loop, by the store's key."""
        found: dict[str, Verdict] = {}
        job = self._job(spec, answers, found)
        for key, verdict in self.executor.run(job) if job is not None else ():
            found[key] = verdict
            self._keep(key, verdict)
        return found

    def _jobs(self, path: Path, predictions: Sequence[Prediction]) -> Iterator[Job]:
        """All that is still to be run for a file's predictions."""
        for window in _windows(predictions):
            spec = self.specs.get(window[0].key.scenario_id)
            if spec is not None:
                read = [self._read(path, prediction, Question.of(spec)) for prediction in window]
                job = self._job(spec, [answer for _, answer in read if isinstance(answer, Submission)], {})
                if job is not None:
                    yield job

    def _job(self, spec: ScenarioSpec, answers: Sequence[Submission], found: dict[str, Verdict]) -> Job | None:
        """The distinct loops that no verdict is stored for; those that are stored go to `found`."""
        loops: dict[str, Loop] = {}
        for answer in answers:
            key = self._key(spec, answer)
            if key in found or key in loops:
                continue
            stored = self.store.get(key)
            if stored is not None:
                found[key] = stored
            else:
                loops[key] = Loop(key=key, files=answer.loop(spec.loop_files(), spec.entry))
        if not loops:
            return None
        content = spec.content_hash
        return Job(scenario=str(spec.root), content=content, secret=self.secret, loops=tuple(loops.values()))

    def _keep(self, key: str, verdict: Verdict) -> None:
        """A fault of ours is not kept: it is tried again the next time."""
        if verdict.status is not Status.INFRA_ERROR:
            self.store.put(key, verdict)

    def _key(self, spec: ScenarioSpec, answer: Submission) -> str:
        conditions = {**self.executor.conditions(), "scenario": spec.content_hash, "secret": self.secret}
        return key_of(conditions, answer.loop(spec.loop_files(), spec.entry))

    def _graded(
        self,
        spec: ScenarioSpec,
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
            files = answer.loop(spec.loop_files(), spec.entry)
            verdict = verdicts[self._key(spec, answer)]
            graded = Graded(
                line=prediction.line,
                key=prediction.key,
                verdict=verdict.model_copy(update={"answer_sha256": answer.sha256}),
                taken=answer.taken,
                edits=edit_size(spec, files),
                diff=shown_diff(spec, files),
                usage=prediction.usage,
            )
        return graded.model_copy(update={"diagnosis": self._diagnosis(spec, prediction, raw)})

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


def _taken(raw: bytes, question: Question, mode: Mode | None) -> Submission | InvalidAnswer:
    try:
        return take(raw, question, mode)
    except InvalidAnswer as invalid:
        return invalid


def _windows(predictions: Sequence[Prediction]) -> Iterator[Sequence[Prediction]]:
    """Predictions by scenario, some at a time: those of one scenario share its reference and its broken loop."""
    by_scenario: dict[str, list[Prediction]] = {}
    for prediction in predictions:
        by_scenario.setdefault(prediction.key.scenario_id, []).append(prediction)
    for group in by_scenario.values():
        for start in range(0, len(group), WINDOW):
            yield group[start : start + WINDOW]
