"""Correct training loops put together from parts, as lines with roles, so that a rule's inverse edit can break them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hypothesis import strategies as st


@dataclass(frozen=True)
class Line:
    """One line of a program. role: what it is to the training step; empty for everything else."""

    depth: int
    text: str
    role: str = ""

    def to(self, depth: int) -> Line:
        return replace(self, depth=depth)


@dataclass(frozen=True)
class Shape:
    """What varies between loops."""

    style: str = "function"  # function | trainer | script
    imports: str = "import torch"
    autocast: str = "torch.autocast"
    scaler_class: str = "torch.amp.GradScaler"
    scaler: str = "scaler"
    optimizer: str = "opt"
    second: bool = False
    window: int = 1
    clip: str = ""  # "" | norm | value | conditional
    scheduler: bool = False
    log: bool = False
    checkpoint: bool = False
    named_loss: bool = False
    init_scale: str = "1024.0"
    enabled: str = ""
    comments: bool = False
    dtype: str = "torch.float16"
    scaled: bool = True
    decay: bool = False
    moved: bool = False
    always: bool = False  # the region is on, whatever switches the scaler


SPELLINGS = (
    ("import torch", "torch.autocast", "torch.amp.GradScaler"),
    ("import torch\nfrom torch.amp import autocast, GradScaler", "autocast", "GradScaler"),
    ("import torch\nfrom torch import amp", "amp.autocast", "amp.GradScaler"),
    ("import torch\nimport torch.amp as tamp", "tamp.autocast", "tamp.GradScaler"),
    ("import torch\nfrom torch.amp import autocast as ac, GradScaler as GS", "ac", "GS"),
)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    imports, autocast, scaler_class = draw(st.sampled_from(SPELLINGS))
    return Shape(
        style=draw(st.sampled_from(["function", "trainer", "script"])),
        imports=imports,
        autocast=autocast,
        scaler_class=scaler_class,
        scaler=draw(st.sampled_from(["scaler", "grad_scaler", "s"])),
        optimizer=draw(st.sampled_from(["opt", "optimizer"])),
        second=draw(st.booleans()),
        window=draw(st.sampled_from([1, 2])),
        clip=draw(st.sampled_from(["", "norm", "value", "conditional"])),
        scheduler=draw(st.booleans()),
        log=draw(st.booleans()),
        checkpoint=draw(st.booleans()),
        named_loss=draw(st.booleans()),
        # the large scale overflows float16, so that the first steps are skipped
        init_scale=draw(st.sampled_from(["1024.0", "2.0**24"])),
        enabled=draw(st.sampled_from(["", "True", "use_amp"])),
        comments=draw(st.booleans()),
        decay=draw(st.booleans()),
    )


def program(shape: Shape) -> list[Line]:
    """A correct loop. It defines `train(model, data)`, or runs on the globals `model` and `data`."""
    lines = [Line(0, text) for text in shape.imports.split("\n")]
    lines += [Line(0, ""), Line(0, "use_amp = True"), Line(0, "max_norm = 0.5"), Line(0, "")]
    if shape.style == "script":
        return [*lines, *_setup(shape, 0), *_loop(shape, 0), *_checkpoint(shape, 0)]
    if shape.style == "function":
        lines.append(Line(0, "def train(model, data):"))
        result = f"return {', '.join(_results(shape))}"
        return [*lines, *_setup(shape, 1), *_loop(shape, 1), *_checkpoint(shape, 1), Line(1, result)]
    lines += [
        Line(0, "class Trainer:"),
        Line(1, "def __init__(self, model):"),
        Line(2, "self.model = model" + ".cuda()" * shape.moved),
    ]
    lines += [*_setup(shape, 2), Line(1, ""), Line(1, "def fit(self, data):"), *_loop(shape, 2)]
    lines += [*_checkpoint(shape, 2), Line(0, ""), Line(0, "def train(model, data):")]
    lines += [Line(1, "trainer = Trainer(model)"), Line(1, "trainer.fit(data)")]
    results = ", ".join(result.replace("self", "trainer") for result in _results(shape))
    return [*lines, Line(1, f"return {results}")]


def _own(shape: Shape, name: str) -> str:
    return f"self.{name}" if shape.style == "trainer" else name


def optimizers(shape: Shape) -> list[str]:
    return [_own(shape, shape.optimizer), *([_own(shape, "second")] if shape.second else [])]


def scaler(shape: Shape) -> str:
    return _own(shape, shape.scaler)


def _results(shape: Shape) -> list[str]:
    scale = f"{scaler(shape)}.get_scale()" if shape.scaled else "1.0"
    return [scale, *([f"{_own(shape, 'sched')}.last_epoch"] if shape.scheduler else ["0"])]


def _setup(shape: Shape, depth: int) -> Iterator[Line]:
    first, *others = optimizers(shape)
    if shape.moved and shape.style != "trainer":
        yield Line(depth, f"{_own(shape, 'model')} = model.cuda()")
    if shape.second:
        yield Line(depth, f"{first} = torch.optim.SGD(model[0].parameters(), lr=0.05, momentum=0.5)")
        yield Line(depth, f"{others[0]} = torch.optim.SGD(model[2].parameters(), lr=0.02)")
    else:
        yield Line(depth, f"{first} = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)")
    if shape.scheduler:
        yield Line(depth, f"{_own(shape, 'sched')} = torch.optim.lr_scheduler.StepLR({first}, 2, gamma=0.5)")
    if shape.comments:
        yield Line(depth, "# größte Skala, die hält")
    if shape.scaled:
        start = f", init_scale={shape.init_scale}" if shape.init_scale else ""
        enabled = f", enabled={shape.enabled}" if shape.enabled else ""
        yield Line(depth, f'{scaler(shape)} = {shape.scaler_class}("cuda"{start}{enabled})', "scaler")


def _loop(shape: Shape, depth: int) -> Iterator[Line]:
    model, scale = _own(shape, "model"), scaler(shape)
    enabled = f", enabled={shape.enabled}" if shape.enabled and not shape.always else ""
    yield Line(depth, "for i, (x, y) in enumerate(data):", "loop")
    if shape.window == 1:
        yield from (Line(depth + 1, f"{name}.zero_grad()", "zero") for name in optimizers(shape))
    yield Line(depth + 1, f'with {shape.autocast}("cuda", dtype={shape.dtype}{enabled}):', "region")
    yield Line(depth + 2, f"out = {model}(x.cuda())", "forward")
    yield Line(depth + 2, "loss = torch.nn.functional.mse_loss(out, y.cuda())", "loss")
    if shape.window > 1:
        yield Line(depth + 2, f"loss = loss / {shape.window}", "divide")
    if not shape.scaled:
        yield Line(depth + 1, "loss.backward()", "backward")
    elif shape.named_loss:
        yield Line(depth + 1, f"scaled_loss = {scale}.scale(loss)", "scale")
        yield Line(depth + 1, "scaled_loss.backward()" + ("  # true order" if shape.comments else ""), "backward")
    else:
        yield Line(depth + 1, f"{scale}.scale(loss).backward()", "backward")
    inner = depth + 1
    if shape.window > 1:
        yield Line(depth + 1, f"if (i + 1) % {shape.window} == 0:", "window")
        inner += 1
    yield from _step(shape, inner)


def _step(shape: Shape, depth: int) -> Iterator[Line]:
    model, scale = _own(shape, "model"), scaler(shape)
    if shape.scaled and (shape.clip or shape.log or shape.decay):
        yield from (Line(depth, f"{scale}.unscale_({name})", "unscale") for name in optimizers(shape))
    if shape.log:
        yield Line(depth, f"norms = [p.grad.norm() for p in {model}.parameters() if p.grad is not None]", "read")
        yield Line(depth, 'print(f"norm {max(norms)}")', "read")
    if shape.decay:
        yield Line(depth, f"for p in {model}.parameters():", "edit")
        yield Line(depth + 1, "p.grad.add_(p.detach(), alpha=0.01)", "edit")
    if shape.clip == "norm":
        yield Line(depth, f"torch.nn.utils.clip_grad_norm_({model}.parameters(), 0.5)", "clip")
    elif shape.clip == "value":
        yield Line(depth, f"torch.nn.utils.clip_grad_value_({model}.parameters(), 0.05)", "clip")
    elif shape.clip == "conditional":
        yield Line(depth, "if max_norm:", "clip")
        yield Line(depth + 1, f"torch.nn.utils.clip_grad_norm_({model}.parameters(), max_norm)", "clip")
    if not shape.scaled:
        yield from (Line(depth, f"{name}.step()", "step") for name in optimizers(shape))
        if shape.scheduler:
            yield Line(depth, f"{_own(shape, 'sched')}.step()", "scheduler")
    else:
        yield from (Line(depth, f"{scale}.step({name})", "step") for name in optimizers(shape))
        if shape.scheduler:
            yield Line(depth, f"old_scale = {scale}.get_scale()", "guard")
        yield Line(depth, f"{scale}.update()", "update")
        if shape.scheduler:
            yield Line(depth, f"if {scale}.get_scale() >= old_scale:", "guard")
            yield Line(depth + 1, f"{_own(shape, 'sched')}.step()", "scheduler")
    if shape.window > 1:
        yield from (Line(depth, f"{name}.zero_grad()", "zero") for name in optimizers(shape))


def _checkpoint(shape: Shape, depth: int) -> Iterator[Line]:
    if not shape.checkpoint:
        return
    model, scale = _own(shape, "model"), scaler(shape)
    yield Line(depth, "state = {")
    yield Line(depth + 1, f'"model": {model}.state_dict(),')
    for number, name in enumerate(optimizers(shape)):
        yield Line(depth + 1, f'"optimizer{number or ""}": {name}.state_dict(),')
    if shape.scaled:
        yield Line(depth + 1, f'"scaler": {scale}.state_dict(),', "saved")
    yield Line(depth, "}")
    yield Line(depth, 'torch.save(state, "/dev/null")')


@dataclass(frozen=True)
class Dress:
    """What a text looks like, whatever it does."""

    indent: str = "    "
    newline: str = "\n"
    quote: str = '"'


DRESSES = st.builds(
    Dress,
    indent=st.sampled_from(["    ", "  ", "\t"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    quote=st.sampled_from(['"', "'"]),
)


def text(lines: list[Line], dress: Dress) -> str:
    written = [dress.indent * line.depth + line.text if line.text else "" for line in lines]
    return dress.newline.join(written).replace('"', dress.quote) + dress.newline
