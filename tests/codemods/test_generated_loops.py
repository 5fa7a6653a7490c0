"""Loops put together at random: whatever is repaired parses, is clean, stays so, and keeps the other lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ampfix.codemods.fixpoint import fix_text
from ampfix.findings import Applicability
from ampfix.lint import check_source

ALL = (Applicability.SAFE, Applicability.UNSAFE)
IMPORTS = {
    "from torch.cuda.amp import autocast, GradScaler": ("autocast", "GradScaler"),
    "from torch.cuda import amp as tamp": ("tamp.autocast", "tamp.GradScaler"),
    "import torch.cuda.amp": ("torch.cuda.amp.autocast", "torch.cuda.amp.GradScaler"),
    "from torch.cuda.amp import autocast as ac\nfrom torch.amp import GradScaler": ("ac", "GradScaler"),
}
CLIPS = (
    [],
    ["torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)"],
    ["if clip:", "    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip)"],
    ["torch.nn.utils.clip_grad_value_(model.parameters(), 1.0); log(loss)"],
)
SCHEDULERS = ([], ["sched.step()"], ["if warm: sched.step()"])


@st.composite
def programs(draw: st.DrawFn) -> str:
    line, (autocast, scaler) = draw(st.sampled_from(sorted(IMPORTS.items())))
    enabled = draw(st.sampled_from(["", "enabled=use", "True", "use, torch.float16"]))
    scaled, accumulate = draw(st.booleans()), draw(st.booleans())
    step = ["scaler.step(opt)", "scaler.update()"] if scaled else ["opt.step()"]
    tail = [*draw(st.sampled_from(CLIPS)), *step, *draw(st.sampled_from(SCHEDULERS)), "opt.zero_grad()"]
    if accumulate:
        tail = ["if (i + 1) % 4 == 0:", *("    " + each for each in tail)]
    body = [
        f"with {autocast}({enabled}):",
        "    loss = model(x)",
        "scaler.scale(loss).backward()" if scaled else "loss.backward()",
        *tail,
    ]
    setup = [
        "opt = torch.optim.SGD(model.parameters(), lr=0.1)",
        "sched = torch.optim.lr_scheduler.LinearLR(opt)",
        *([f"scaler = {scaler}()"] if scaled else []),
        "for i, x in enumerate(loader):",
    ]
    lines = ["import torch", *line.split("\n"), "def train(model, loader, use, clip, warm):"]
    lines += ["    " + each for each in setup] + ["        " + each for each in body]
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return newline.join(lines) + newline


@given(programs())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_repaired_loop_is_clean_and_stays_as_it_is(program: str) -> None:
    outcome = fix_text(program, check_source, ALL)
    compile(outcome.text, "loop.py", "exec")
    assert outcome.unfixed == ()
    assert check_source(outcome.text) == []
    assert fix_text(outcome.text, check_source, ALL).text == outcome.text
    assert outcome.text.count("\r\n") == (outcome.text.count("\n") if "\r\n" in program else 0)
    kept = [line.strip() for line in program.splitlines() if "amp" not in line and "scale" not in line]
    kept = [line for line in kept if not line.startswith(("with", "loss.backward", "opt.step", "if warm"))]
    left = [line.strip() for line in outcome.text.splitlines()]
    assert [line for line in left if line in kept] == kept, "a line that no repair concerns has moved or changed"
