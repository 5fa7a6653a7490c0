"""Why a verdict is what it is: one row for each cause, and every policy about causes derives from the rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Status(str, Enum):
    PASS = "pass"
    FAIL = "fail"
    INVALID_ANSWER = "invalid_answer"
    INFRA_ERROR = "infra_error"


class Blame(str, Enum):
    """Who ended the run, or decided the check."""

    SUBMISSION = "submission"
    LIMIT = "limit"
    JUDGE = "judge"
    LAB = "lab"


@dataclass(frozen=True)
class Cause:
    """One reason code: what it says about the answer, whether to try again, and who brought it about."""

    code: str
    status: Status
    retry: bool
    blame: Blame
    meaning: str


def _fail(code: str, blame: Blame, meaning: str) -> Cause:
    return Cause(code, Status.FAIL, False, blame, meaning)


def _invalid(code: str, meaning: str) -> Cause:
    return Cause(code, Status.INVALID_ANSWER, False, Blame.SUBMISSION, meaning)


def _infra(code: str, meaning: str, retry: bool = True) -> Cause:
    return Cause(code, Status.INFRA_ERROR, retry, Blame.LAB, meaning)


_TABLE = (
    _invalid("empty", "the answer is empty"),
    _invalid("no_code", "the answer holds no Python code block"),
    _invalid("several_code_blocks", "the answer holds several Python code blocks and none is marked as the loop"),
    _invalid("not_utf8", "the answer is not UTF-8 text"),
    _invalid("too_large", "the answer is larger than any training loop"),
    _invalid("syntax_error", "the answer is not valid Python"),
    _invalid("elided", "the answer leaves code out and says so"),
    _invalid("nothing_to_replace", "the answer's code has no place in the loop"),
    _invalid("ambiguous_piece", "the answer's code has several places in the loop"),
    _invalid("patch_malformed", "the diff is not a unified diff"),
    _invalid("patch_does_not_apply", "the diff does not fit the loop"),
    _invalid("path_not_allowed", "the answer names a file that is not the loop's"),
    _invalid("json_without_answer", "the JSON holds no answer"),
    _invalid("malformed_line", "the line of the predictions file is no prediction"),
    _invalid("duplicate_answer", "the same sample was given before"),
    _invalid("unknown_scenario", "no scenario has that name"),
    _invalid("agent_failed", "the agent ended with an error"),
    _invalid("agent_timeout", "the agent did not answer in time"),
    _fail("crashed", Blame.SUBMISSION, "the loop raised an exception"),
    _fail("ended_early", Blame.SUBMISSION, "the process ended before the loop returned"),
    _fail("fewer_steps", Blame.SUBMISSION, "batches were left out, or taken and not trained on"),
    _fail("killed", Blame.SUBMISSION, "the process was killed by a signal"),
    _fail("timeout", Blame.LIMIT, "the loop did not end in time"),
    _fail("memory", Blame.LIMIT, "the loop used more memory than it may"),
    _fail("output_overflow", Blame.LIMIT, "the loop sent more output than it may"),
    _fail("malformed_output", Blame.LIMIT, "what arrived on the result pipe is not what the recorder sends"),
    _fail("malformed_weights", Blame.JUDGE, "the weights' names, shapes or dtypes are not the model's"),
    _fail("half_weights", Blame.JUDGE, "the weights were left in half precision"),
    _fail("not_finite", Blame.JUDGE, "weights or held-out loss are NaN or infinite"),
    _fail("loss_too_high", Blame.JUDGE, "held-out loss is nearer to the broken loop's than the scenario allows"),
    _fail("early_steps_differ", Blame.JUDGE, "the first steps lead away from the fp32 reference's"),
    _fail("no_snapshot", Blame.JUDGE, "no early snapshot arrived: fewer optimizer steps than the scenario looks at"),
    _fail("amp_removed", Blame.JUDGE, "no work ran in half precision, or the weights equal the fp32 run's"),
    _fail("too_little_half", Blame.JUDGE, "too much of the matmul and convolution work ran in float32"),
    _fail("protocol_broken", Blame.JUDGE, "the recorded events break a rule that the scenario names"),
    _fail("needless_half", Blame.JUDGE, "matmul and convolution work runs in half precision where float32 is faster"),
    _fail("misaligned", Blame.JUDGE, "too much of the half-precision work has sizes that 8 does not divide"),
    _fail("no_speedup", Blame.JUDGE, "a step does not gain as much time over float32 as it should"),
    _fail("timed_run_differs", Blame.JUDGE, "the run that was timed trained worse than float32 does"),
    _fail("too_much_memory", Blame.JUDGE, "the peak of the GPU's memory is higher than it may be"),
    _fail("malformed_events", Blame.JUDGE, "the recorded events are not what the recorder sends"),
    _fail("too_many_skips", Blame.JUDGE, "the scaler skipped too many optimizer steps"),
    _fail("no_steps", Blame.JUDGE, "no optimizer step was attempted"),
    _fail("never_moved", Blame.JUDGE, "the weights are the initial ones although steps are said to have been applied"),
    _infra("unsupported_cuda_api", "the loop calls for something of CUDA that cannot be emulated", retry=False),
    _infra("server_died", "a server process of the lab ended"),
    _infra("server_timeout", "a server process of the lab did not answer"),
    _infra("closed", "the runner was closed while the job was waiting", retry=False),
    _infra("job_died", "a job's own process ended without a reply"),
    _infra("job_failed", "the scenario's task or the lab's own code raised"),
    _infra("jail_setup", "the jail could not be set up"),
    _infra("no_space", "the disk or a quota of the folder for temporary files is full", retry=False),
    _infra("reference_failed", "the fp32 reference did not run or its loss is not finite", retry=False),
)

CAUSES: MappingProxyType[str, Cause] = MappingProxyType({cause.code: cause for cause in _TABLE})


class InfraError(Exception):
    """A fault of the lab's own. `cause` is its row; the message is one line."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.cause = CAUSES[code]
        assert self.cause.status is Status.INFRA_ERROR
