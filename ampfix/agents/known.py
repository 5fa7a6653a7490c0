"""What grading needs of a scenario, read once however many answers it gets."""

from __future__ import annotations

from dataclasses import dataclass

from ampfix.agents.answers import Question
from ampfix.agents.edits import EditSize, changed_lines, shown_diff
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.submission import Submission


@dataclass(frozen=True)
class Known:
    """content: the scenario's hash. gold_lines: how many gold changes."""

    spec: ScenarioSpec
    question: Question
    content: str
    gold_lines: int

    @classmethod
    def of(cls, spec: ScenarioSpec) -> Known:
        """Raises SpecError."""
        question = Question.of(spec)
        return cls(spec, question, spec.content_hash, changed_lines(question.files, spec.gold_files()))

    def loop(self, answer: Submission) -> dict[str, str]:
        """The files that an answer's loop consists of."""
        return answer.loop(self.question.files, self.question.entry)

    def edits(self, files: dict[str, str]) -> EditSize:
        return EditSize(answer=changed_lines(self.question.files, files), gold=self.gold_lines)

    def diff(self, files: dict[str, str]) -> str:
        return shown_diff(self.question.files, files)
