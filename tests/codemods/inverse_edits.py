"""For each rule the edit that brings its bug into a correct loop; None where the loop has no place for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.codemods.loops import Line, Shape, optimizers, program, scaler

Lines = list[Line]
Break = Callable[[Lines, Shape], Lines | None]


def _where(lines: Lines, role: str) -> list[int]:
    return [number for number, line in enumerate(lines) if line.role == role]


def _without(lines: Lines, role: str) -> Lines:
    return [line for line in lines if line.role != role]


def clip_scaled(lines: Lines, shape: Shape) -> Lines | None:
    return _without(lines, "unscale") if shape.clip and not shape.log and not shape.decay else None


def read_scaled(lines: Lines, shape: Shape) -> Lines | None:
    return _without(lines, "unscale") if shape.log and not shape.clip and not shape.decay else None


def edit_scaled(lines: Lines, shape: Shape) -> Lines | None:
    return _without(lines, "unscale") if shape.decay and not shape.clip and not shape.log else None


def unscale_twice(lines: Lines, shape: Shape) -> Lines | None:
    places = _where(lines, "unscale")
    if not places or shape.second:
        return None
    return [*lines[: places[-1] + 1], lines[places[-1]], *lines[places[-1] + 1 :]]


def unscale_each_micro_batch(lines: Lines, shape: Shape) -> Lines | None:
    """unscale_ and what needs it, in front of the window's condition."""
    if shape.window == 1 or not shape.clip or shape.log or shape.decay:
        return None
    roles = ("unscale", "clip")
    moved = [line.to(line.depth - 1) for line in lines if line.role in roles]
    left = [line for line in lines if line.role not in roles]
    (window,) = _where(left, "window")
    return [*left[:window], *moved, *left[window:]]


def bypass(lines: Lines, shape: Shape) -> Lines | None:
    target = optimizers(shape)[-1]
    return [
        Line(line.depth, f"{target}.step()", "raw") if line.text == f"{scaler(shape)}.step({target})" else line
        for line in lines
    ]


def both_steps(lines: Lines, shape: Shape) -> Lines | None:
    made: Lines = []
    for line in lines:
        made.append(line)
        if line.text == f"{scaler(shape)}.step({optimizers(shape)[0]})":
            made.append(Line(line.depth, f"{optimizers(shape)[0]}.step()"))
    return made


def plain_backward(lines: Lines, shape: Shape) -> Lines | None:
    if shape.named_loss:
        return None
    return [
        Line(line.depth, line.text.replace(f"{scaler(shape)}.scale(loss)", "loss")) if line.role == "backward" else line
        for line in lines
    ]


def no_update(lines: Lines, shape: Shape) -> Lines | None:
    return None if shape.scheduler else _without(lines, "update")


def update_each_micro_batch(lines: Lines, shape: Shape) -> Lines | None:
    if shape.window == 1 or shape.scheduler:
        return None
    (update,) = _where(lines, "update")
    end = max(_where(lines, "zero"))
    moved = lines[update].to(lines[update].depth - 1)
    return [*lines[:update], *lines[update + 1 : end + 1], moved, *lines[end + 1 :]]


def update_per_optimizer(lines: Lines, shape: Shape) -> Lines | None:
    if not shape.second:
        return None
    first = _where(lines, "step")[0]
    (update,) = _where(lines, "update")
    return [*lines[: first + 1], lines[update], *lines[first + 1 :]]


def update_first(lines: Lines, shape: Shape) -> Lines | None:
    if shape.scheduler or shape.second:
        return None
    (step,), (update,) = _where(lines, "step"), _where(lines, "update")
    return [*lines[:step], lines[update], lines[step], *lines[update + 1 :]]


def unguarded_scheduler(lines: Lines, shape: Shape) -> Lines | None:
    if not shape.scheduler:
        return None
    return [line.to(line.depth - 1) if line.role == "scheduler" else line for line in _without(lines, "guard")]


def undivided(lines: Lines, shape: Shape) -> Lines | None:
    return _without(lines, "divide") if shape.window > 1 else None


def zeroed_in_the_window(lines: Lines, shape: Shape) -> Lines | None:
    if shape.window == 1:
        return None
    zeros = [line.to(line.depth - 1) for line in lines if line.role == "zero"]
    left = _without(lines, "zero")
    (loop,) = _where(left, "loop")
    return [*left[: loop + 1], *zeros, *left[loop + 1 :]]


def backward_in_the_region(lines: Lines, shape: Shape) -> Lines | None:
    return [line.to(line.depth + 1) if line.role in ("backward", "scale") else line for line in lines]


def scaler_in_the_loop(lines: Lines, shape: Shape) -> Lines | None:
    if shape.style == "trainer":
        return None
    (built,) = _where(lines, "scaler")
    left = [*lines[:built], *lines[built + 1 :]]
    (loop,) = _where(left, "loop")
    return [*left[: loop + 1], lines[built].to(left[loop].depth + 1), *left[loop + 1 :]]


def state_not_saved(lines: Lines, shape: Shape) -> Lines | None:
    return _without(lines, "saved") if shape.checkpoint else None


def half_inputs(lines: Lines, shape: Shape) -> Lines | None:
    return [
        Line(line.depth, line.text.replace("x.cuda()", "x.cuda().half()")) if line.role == "forward" else line
        for line in lines
    ]


def old_names(lines: Lines, shape: Shape) -> Lines | None:
    """torch.cuda.amp, whose positional arguments stand in another order."""
    replaced = []
    for line in lines:
        if line.role == "region":
            line = Line(
                line.depth, line.text.replace('"cuda", ', "").replace("torch.autocast", "torch.cuda.amp.autocast")
            )
        elif line.role == "scaler":
            line = Line(line.depth, line.text.replace('"cuda", init_scale=', ""))
        replaced.append(Line(line.depth, _old(line.text), line.role))
    return replaced


def _old(text: str) -> str:
    for new, old in (
        ("from torch.amp import", "from torch.cuda.amp import"),
        ("from torch import amp", "from torch.cuda import amp"),
        ("import torch.amp as", "import torch.cuda.amp as"),
        ("torch.amp.", "torch.cuda.amp."),
    ):
        text = text.replace(new, old)
    return text


def no_device(lines: Lines, shape: Shape) -> Lines | None:
    return [
        Line(line.depth, line.text.replace('"cuda", dtype=', "")) if line.role == "region" else line for line in lines
    ]


def scale_for_a_device(lines: Lines, shape: Shape) -> Lines | None:
    return [
        Line(line.depth, line.text.replace('"cuda", init_scale=', "")) if line.role == "scaler" else line
        for line in lines
    ]


def skip_without_update(lines: Lines, shape: Shape) -> Lines | None:
    """An own check for inf that leaves the scaler in the middle of its step."""
    if shape.scheduler or shape.second or not _where(lines, "unscale"):
        return None
    (step,), (update,) = _where(lines, "step"), _where(lines, "update")
    model = "self.model" if shape.style == "trainer" else "model"
    depth = lines[step].depth
    test = f"if all(torch.isfinite(p.grad).all() for p in {model}.parameters()):"
    return [
        *lines[:step],
        Line(depth, test),
        *(line.to(depth + 1) for line in lines[step : update + 1]),
        *lines[update + 1 :],
    ]


def scrubbed(lines: Lines, shape: Shape) -> Lines | None:
    if _where(lines, "unscale"):
        return None  # found_inf is known by then
    step = _where(lines, "step")[0]
    model = "self.model" if shape.style == "trainer" else "model"
    depth = lines[step].depth
    scrub = [Line(depth, f"for p in {model}.parameters():"), Line(depth + 1, "torch.nan_to_num_(p.grad)")]
    return [*lines[:step], *scrub, *lines[step:]]


def no_scaler(lines: Lines, shape: Shape) -> Lines | None:
    return program(replace(shape, scaled=False))


def scaler_for_bfloat16(lines: Lines, shape: Shape) -> Lines | None:
    return [Line(line.depth, line.text.replace(", enabled=False", ""), line.role) for line in lines]


def private_scale(lines: Lines, shape: Shape) -> Lines | None:
    if not shape.scheduler:
        return None
    name = f"{scaler(shape)}.get_scale()"
    return [
        Line(line.depth, line.text.replace(name, f"{scaler(shape)}._scale.item()"), line.role)
        if line.text.startswith("old_scale")
        else line
        for line in lines
    ]


def thrashing(lines: Lines, shape: Shape) -> Lines | None:
    return [
        Line(line.depth, line.text.replace('"cuda"', '"cuda", growth_interval=1'), line.role)
        if line.role == "scaler"
        else line
        for line in lines
    ]


def always_scaled(lines: Lines, shape: Shape) -> Lines | None:
    """The region follows one flag, and the scaler another."""
    flags = next(number for number, line in enumerate(lines) if line.text == "use_amp = True")
    made = [
        Line(line.depth, line.text.replace("enabled=use_amp", "enabled=use_scaler"), line.role)
        if line.role == "scaler"
        else line
        for line in lines
    ]
    return [*made[:flags], Line(0, "use_scaler = True"), *made[flags:]]


def region_on_the_cpu(lines: Lines, shape: Shape) -> Lines | None:
    return [
        Line(line.depth, line.text.replace('"cuda"', '"cpu"'), line.role) if line.role == "region" else line
        for line in lines
    ]


def half_saved(lines: Lines, shape: Shape) -> Lines | None:
    if not shape.checkpoint:
        return None
    model = "self.model" if shape.style == "trainer" else "model"
    half = "{name: value.half() for name, value in " + model + ".state_dict().items()}"
    return [Line(line.depth, line.text.replace(f"{model}.state_dict()", half), line.role) for line in lines]


def half_sum(lines: Lines, shape: Shape) -> Lines | None:
    (loop,) = _where(lines, "loop")
    backward = _where(lines, "backward")[0]
    start = Line(lines[loop].depth, 'total = torch.zeros((), dtype=torch.float16, device="cuda")')
    add = Line(lines[backward].depth, "total += loss.detach()")
    return [*lines[:loop], start, *lines[loop : backward + 1], add, *lines[backward + 1 :]]


def apex(lines: Lines, shape: Shape) -> Lines | None:
    """The same loop as apex wrote it."""
    if shape.second or shape.checkpoint or shape.scheduler or shape.log or shape.decay:
        return None
    optimizer, scale = optimizers(shape)[0], scaler(shape)
    model = "self.model" if shape.style == "trainer" else "model"
    made: Lines = []
    for line in lines:
        if line.role == "scaler":
            made.append(
                Line(line.depth, f'{model}, {optimizer} = amp.initialize({model}, {optimizer}, opt_level="O1")')
            )
        elif line.role in ("forward", "loss", "divide"):
            made.append(line.to(line.depth - 1))
        elif line.role == "backward":
            made.append(Line(line.depth, f"with amp.scale_loss(loss, {optimizer}) as scaled:"))
            made.append(Line(line.depth + 1, "scaled.backward()"))
        elif line.role == "step":
            made.append(Line(line.depth, f"{optimizer}.step()"))
        elif line.role not in ("region", "unscale", "update", "scale"):
            text = line.text.replace(f"trainer.{shape.scaler}.get_scale()", "1.0").replace(
                f"{scale}.get_scale()", "1.0"
            )
            made.append(Line(line.depth, text, line.role))
    return [Line(0, "import torch"), Line(0, "from apex import amp"), *made[len(shape.imports.split("\n")) :]]


def half_weights(lines: Lines, shape: Shape) -> Lines | None:
    """The model is bfloat16 instead of running under autocast."""
    if shape.checkpoint or shape.style == "trainer":
        return None
    model = "self.model" if shape.style == "trainer" else "model"
    first = next(number for number, line in enumerate(lines) if "torch.optim.SGD" in line.text)
    made = []
    for number, line in enumerate(lines):
        if number == first:
            made.append(Line(line.depth, f"{model}.bfloat16()"))
        if line.role == "region":
            continue
        if line.role in ("forward", "loss", "divide"):
            text = line.text.replace("x.cuda()", "x.cuda().bfloat16()").replace("(out, y", "(out.float(), y")
            line = Line(line.depth - 1, text, line.role)
        made.append(line)
    return made


def two_halves(lines: Lines, shape: Shape) -> Lines | None:
    (loss,) = _where(lines, "loss")
    (region,) = _where(lines, "region")
    again = Line(lines[region].depth, lines[region].text.replace("torch.float16", "torch.bfloat16"))
    return [*lines[:loss], again, *lines[loss:]]
