"""AMP304 keeps silent where the training region is off by a constant, and where the model is evaluated on the CPU."""

from __future__ import annotations

import pytest

from ampfix.lint import Settings, check_source

LOOP = """\
import torch

use_amp = {use_amp}

def train(model, loader, scaler, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=use_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def validate(model, loader, device={device}):
    model.eval()
    return [{read} for x in loader]

def main(model, loader, scaler, optimizer):
    train(model, loader, scaler, optimizer)
    validate(model, loader{handed})
"""


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, 1),
        ({"use_amp": "False"}, 0),
        ({"use_amp": "bool(torch.cuda.device_count())"}, 1),
        ({"read": "model(x).detach().numpy()"}, 0),
        ({"read": "model(x).detach().cpu().numpy()"}, 1),
        ({"device": '"cpu"'}, 0),
        ({"device": '"cpu"', "handed": ', device="cuda"'}, 1),
        ({"device": '"cpu"', "handed": ', "cuda"'}, 1),
        ({"device": '"cuda"'}, 1),
    ],
)
def test_an_evaluation_differs_only_where_training_casts_on_the_same_device(
    changed: dict[str, str], expected: int
) -> None:
    text = LOOP.format(**{"use_amp": "True", "device": "None", "read": "model(x.to(device))", "handed": "", **changed})
    assert len(check_source(text, "loop.py", Settings(select=("AMP304",)))) == expected


BY_DEFAULT = """\
import torch

def train(model, loader, optimizer, scaler, use_amp=True):
    for x, y in loader:
        with torch.autocast("cuda", enabled=use_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def validate(model, loader, use_amp={default}):
    model.eval()
    for x, y in loader:
        {region}:
            print(model(x, y))

def main(model, loader, held_out, optimizer, scaler, amp):
    train(model, loader, optimizer, scaler, amp)
    validate(model, held_out{given})
"""
OF_A_FLAG = 'with torch.autocast("cuda", enabled=use_amp)'


@pytest.mark.parametrize(
    ("default", "given"), [("False", ""), ("True", ", False"), ("None", ", use_amp=None")], ids=["left", "off", "none"]
)
def test_an_evaluation_whose_switch_is_left_off_is_told_at_its_call(default: str, given: str) -> None:
    findings = check_source(
        BY_DEFAULT.format(region=OF_A_FLAG, default=default, given=given), "loop.py", Settings(select=("AMP304",))
    )
    assert [one.span.start.line for one in findings] == [20]


@pytest.mark.parametrize(
    ("region", "default", "given"),
    [(OF_A_FLAG, "False", ", amp"), (OF_A_FLAG, "True", ""), ('with torch.autocast("cuda")', "False", "")],
    ids=["handed on", "on by default", "another region"],
)
def test_one_whose_switch_may_be_on_is_not(region: str, default: str, given: str) -> None:
    text = BY_DEFAULT.format(region=region, default=default, given=given)
    assert not check_source(text, "loop.py", Settings(select=("AMP304",)))


HANDED = """\
import torch

def fit(model, loader, held_out, optimizer, scaler, {parameter}):
    for x, y in loader:
        with torch.autocast("cuda", enabled=amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    model.eval()
    with torch.no_grad():
        return [model(x) for x in held_out]

def main(model, loader, optimizer, scaler, args):
    {called}
"""


@pytest.mark.parametrize(
    ("parameter", "called", "count"),
    [
        ("amp=False", "fit(model, loader, loader, optimizer, scaler)", 0),
        ("amp=True", "fit(model, loader, loader, optimizer, scaler, amp=False)", 0),
        ("amp=False", "fit(model, loader, loader, optimizer, scaler, amp=args.amp)", 1),
        ("amp=False", "fit(model, loader, loader, optimizer, scaler, **vars(args))", 1),
        ("amp=True", "fit(model, loader, loader, optimizer, scaler)", 1),
        ("amp=False", "print(fit)", 1),
        ("amp=False", "args.sklearn.fit(model)", 1),
    ],
    ids=["default", "handed False", "handed", "unpacked", "on", "unseen", "another"],
)
def test_a_region_that_every_call_of_the_file_leaves_off_trains_nothing(
    parameter: str, called: str, count: int
) -> None:
    text = HANDED.format(parameter=parameter, called=called)
    assert len(check_source(text, "loop.py", Settings(select=("AMP304",)))) == count


PROMPT = """\
import torch
{imported}

def train(model, loader, optimizer, scaler):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def generate(model, prompt, device):
    model.eval()
    ids = torch.tensor([prompt])
    {moved}
    while ids.shape[1] < 99:
        token = model(ids{placed})[0, -1].argmax()
        ids = torch.cat([ids, token[None, None]], dim=1)
    return ids
"""


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 0),
        ({"moved": "ids = ids.to(device)"}, 1),
        ({"moved": "ids, mask = ids.to(device), None"}, 1),
        ({"moved": "ids = placed(ids)"}, 1),
        ({"placed": ".cuda()"}, 1),
        ({"imported": 'torch.set_default_device("cuda")'}, 1),
    ],
    ids=["on the CPU", "moved", "moved in a pair", "by a helper", "at the call", "by default"],
)
def test_input_that_is_made_on_the_cpu_and_stays_there_is_evaluated_there(changes: dict[str, str], count: int) -> None:
    text = PROMPT.format(**{"imported": "", "moved": "", "placed": "", **changes})
    assert len(check_source(text, "loop.py", Settings(select=("AMP304",)))) == count


BY_BRANCH = """\
import torch

def forward_logits(model, key, x):
    return model(x)[key]

def run_epoch(model, loader, criterion, optimizer=None, scaler=None):
    training = optimizer is not None
    ctx = torch.enable_grad() if training else torch.no_grad()
    with ctx:
        for x, y in loader:
            if scaler is not None and training:
                with torch.autocast("cuda"):
                    loss = criterion({forward}, y)
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
            else:
                loss = criterion({forward}, y)
                {beside}
                    loss.backward()
                    optimizer.step()
                    optimizer.zero_grad()

def main(model, loader, held_out, criterion, optimizer, scaler):
    run_epoch(model, loader, criterion, {trained})
    run_epoch(model, held_out, criterion{evaluated})
"""


def by_branch(**changes: str) -> int:
    given = {
        "forward": "model(x)",
        "beside": "if training:",
        "trained": "optimizer, scaler",
        "evaluated": "",
        **changes,
    }
    return len(check_source(BY_BRANCH.format(**given), "loop.py", Settings(select=("AMP304",))))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"forward": "forward_logits(model, 'y', x)"},
        {"beside": "if optimizer is not None:"},
        {"evaluated": ", None"},
    ],
)
def test_a_branch_that_only_training_enters_is_off_where_nothing_is_trained(changes: dict[str, str]) -> None:
    assert by_branch(**changes) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"evaluated": ", optimizer"},
        {"beside": "if loss.requires_grad:"},
        {"trained": "optimizer"},
        {"evaluated": ", optimizer, scaler"},
    ],
    ids=["trains in float32", "may train", "always in float32", "trains in the region"],
)
def test_a_call_that_may_train_is_no_evaluation(changes: dict[str, str]) -> None:
    assert by_branch(**changes) == 0


def test_a_branch_with_a_region_of_its_own_is_covered() -> None:
    text = BY_BRANCH.format(forward="model(x)", beside="if training:", trained="optimizer, scaler", evaluated="")
    plain = "            else:\n                loss = criterion(model(x), y)\n"
    covered = plain.replace(
        "                loss", '                with torch.autocast("cuda"):\n                    loss'
    )
    assert plain in text
    assert not check_source(text.replace(plain, covered), "loop.py", Settings(select=("AMP304",)))


def test_a_call_that_runs_nothing_is_no_evaluation() -> None:
    text = BY_BRANCH.format(forward="model(x)", beside="if training:", trained="optimizer, scaler", evaluated="")
    lines = text.splitlines()
    start = lines.index("            else:")
    del lines[start : start + 6]
    assert not check_source("\n".join(lines), "loop.py", Settings(select=("AMP304",)))


IN_BETWEEN = """\
import torch
import torch.nn.functional as F

def main(model, loader, held_out):
    optimizer = torch.optim.AdamW(model.parameters())

    def run(batches, train):
        for step, (x, y) in enumerate(batches):
            with torch.set_grad_enabled(train){region}:
                loss = F.mse_loss(model(x), y)
            if train:
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
            if train and step % 500 == 0:
                {inner}

    for epoch in range(3):
        run(loader, train=True)
        run(held_out, train=False)
"""
REGION = ', torch.autocast("cuda", dtype=torch.bfloat16)'
CHECKED = """with torch.no_grad():
                    for a, b in held_out:
                        with torch.autocast("cuda", dtype=torch.bfloat16):
                            print(F.mse_loss(model(a), b))"""
WITHOUT = """with torch.autocast("cuda", enabled=False):
                    print(model(x).abs().max())"""


@pytest.mark.parametrize(("region", "inner"), [(REGION, CHECKED), ("", CHECKED), (REGION, WITHOUT)])
def test_a_region_in_between_is_not_that_of_training(region: str, inner: str) -> None:
    text = IN_BETWEEN.format(region=region, inner=inner)
    assert not check_source(text, "loop.py", Settings(select=("AMP304",)))
