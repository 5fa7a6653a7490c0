"""What the scaler's codemods write, and what they refuse."""

from __future__ import annotations

import pytest

from ampfix.codemods import CannotRepair
from ampfix.findings import Applicability, Repair
from tests.codemods.repairs import repair, repaired, span_of

# hoisting


def hoisted(text: str, line: str = "") -> str:
    arguments = {"loop_line": line} if line else {}
    return repaired(text, repair("hoist_scaler", text, "GradScaler()", **arguments))


def test_a_scaler_leaves_all_its_loops_with_its_comments() -> None:
    before = "for e in es:\n    for x in d:\n        # scale\n        s = GradScaler()  # new\n        s.update()\n"
    assert hoisted(before, "1") == (
        "# scale\ns = GradScaler()  # new\nfor e in es:\n    for x in d:\n        s.update()\n"
    )


def test_a_test_around_the_scaler_moves_with_it() -> None:
    before = "for e in es:\n    if amp:\n        s = GradScaler()\n    run(s)\n"
    assert hoisted(before, "1") == "if amp:\n    s = GradScaler()\nfor e in es:\n    run(s)\n"


def test_a_function_called_in_a_loop_is_handed_its_scaler() -> None:
    before = (
        "def epoch(\n    net,\n    data,\n):\n    s = GradScaler()\n    run(net, s)\n\n"
        "for e in es:\n    epoch(net, data)\n"
    )
    assert hoisted(before) == (
        "def epoch(\n    net,\n    data,\n    s,\n):\n    run(net, s)\n\ns = GradScaler()\nfor e in es:\n"
        "    epoch(net, data, s=s)\n"
    )


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("for e in es:\n    use(GradScaler())\n", "1", "part of a larger statement"),
        ("for e in es:\n    if a:\n        s = GradScaler()\n    else:\n        s = None\n", "1", "on a branch"),
        ("for e in es:\n    with c:\n        s = GradScaler()\n", "1", "on a branch"),
        ("def f():\n    self.s = GradScaler()\n    go()\nfor e in es:\n    f()\n", "", "outlives the function"),
        (
            "def f():\n    s = GradScaler()\n    go(s)\nfor e in es:\n    f()\ncallback(f)\n",
            "",
            "once an epoch or step",
        ),
    ],
)
def test_what_cannot_be_hoisted_is_refused_with_the_reason(text: str, line: str, reason: str) -> None:
    with pytest.raises(CannotRepair, match=reason):
        hoisted(text, line)


def test_a_construction_that_reads_the_loops_names_stays() -> None:
    text = "for e in es:\n    k = f(e)\n    s = GradScaler(init_scale=k)\n"
    with pytest.raises(CannotRepair, match="reads k"):
        repaired(text, repair("hoist_scaler", text, "GradScaler(init_scale=k)", loop_line="1"))


# checkpoints


def kept(text: str, source: str = "opt.state_dict()", **arguments: str) -> str:
    return repaired(text, repair("keep_scaler_state", text, source, **{"scaler": "s", "key": "scaler", **arguments}))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('d = {"o": opt.state_dict()}\n', 'd = {"o": opt.state_dict(), "scaler": s.state_dict()}\n'),
        ('d = {"o": opt.state_dict(),}\n', 'd = {"o": opt.state_dict(), "scaler": s.state_dict(),}\n'),
        ("d = {'o': opt.state_dict(), 'e': 1}\n", "d = {'o': opt.state_dict(), 'scaler': s.state_dict(), 'e': 1}\n"),
        ("d = {\n  'e': 1,\n  'o': opt.state_dict(),\n}\n", "d = {\n  'e': 1,\n  'o': opt.state_dict(),\n"
         "  'scaler': s.state_dict(),\n}\n"),
        ("d = dict(o=opt.state_dict())\n", "d = dict(o=opt.state_dict(), scaler=s.state_dict())\n"),
        ('d["o"] = opt.state_dict()\n', 'd["o"] = opt.state_dict()\nd["scaler"] = s.state_dict()\n'),
    ],
)  # fmt: skip
def test_the_state_joins_the_optimizers(before: str, after: str) -> None:
    assert kept(before) == after


def test_an_optional_scaler_is_asked_for_on_both_sides() -> None:
    saved = kept('d = {"o": opt.state_dict()}\n', optional="yes")
    assert saved == 'd = {"o": opt.state_dict(), "scaler": s.state_dict() if s is not None else None}\n'
    load = 'opt.load_state_dict(c["o"])\n'
    assert kept(load, 'opt.load_state_dict(c["o"])', checkpoint="c", optional="yes") == (
        'opt.load_state_dict(c["o"])\nif s is not None and c.get("scaler"):\n    s.load_state_dict(c["scaler"])\n'
    )


def test_a_function_of_the_module_is_handed_the_scaler_and_works_without() -> None:
    before = 'def save(net, *, opt):\n    put({"o": opt.state_dict()})\n\nsave(net, opt=opt)\n'
    assert kept(before, handed="self.s") == (
        "def save(net, *, opt, s=None):\n"
        '    put({"o": opt.state_dict(), "scaler": s.state_dict() if s is not None else None})\n\n'
        "save(net, opt=opt, s=self.s)\n"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("put(opt.state_dict())\n", "by position"),
        ("put(o=opt.state_dict())\n", "may not take another argument"),
        ("opt.state_dict()\n", "not put together here"),
    ],
)
def test_what_is_no_checkpoint_of_this_file_is_refused(text: str, reason: str) -> None:
    with pytest.raises(CannotRepair, match=reason):
        kept(text)


# settings and switches


@pytest.mark.parametrize(
    ("before", "keyword", "value", "after"),
    [
        ("GradScaler('cuda', growth_interval=1)", "growth_interval", "1", "GradScaler('cuda')"),
        ("GradScaler(growth_interval=1, enabled=a)", "growth_interval", "1", "GradScaler(enabled=a)"),
        ("GradScaler(1.0)", "init_scale", "1.0", "GradScaler()"),
        ("GradScaler(\n    init_scale=1.0,\n    growth_interval=1,\n)", "growth_interval", "1",
         "GradScaler(\n    init_scale=1.0,\n)"),
    ],
)  # fmt: skip
def test_a_setting_is_left_out(before: str, keyword: str, value: str, after: str) -> None:
    text = f"s = {before}\n"
    assert repaired(text, repair("default_setting", text, before, keyword=keyword, value=value)) == f"s = {after}\n"


def test_a_positional_setting_in_front_of_others_is_not_left_out() -> None:
    text = "s = GradScaler(1.0, 2.0)\n"
    with pytest.raises(CannotRepair, match="go by position"):
        repaired(text, repair("default_setting", text, "GradScaler(1.0, 2.0)", keyword="init_scale", value="1.0"))


@pytest.mark.parametrize(
    ("before", "old", "after"),
    [
        ("GradScaler()", "", "GradScaler(enabled=a and b)"),
        ("GradScaler('cuda')", "", "GradScaler('cuda', enabled=a and b)"),
        ("GradScaler(enabled=x)", "x", "GradScaler(enabled=a and b)"),
        ("autocast(True)", "True", "autocast(a and b)"),
        ("GradScaler(\n    'cuda',\n)", "", "GradScaler(\n    'cuda',\n    enabled=a and b,\n)"),
    ],
)
def test_a_switch_is_set(before: str, old: str, after: str) -> None:
    text = f"s = {before}\n"
    arguments = {"value": "a and b", **({"old": old} if old else {})}
    assert repaired(text, repair("set_enabled", text, before, **arguments)) == f"s = {after}\n"


def test_a_private_attribute_becomes_a_call_in_place() -> None:
    text = "s._growth_interval = n + 1  # slower\n"
    span = span_of(text, "s._growth_interval = n + 1")
    wanted = {"text": "s.set_growth_interval(n + 1)"}
    assert (
        repaired(text, Repair("public_way", Applicability.SAFE, "", span, wanted))
        == "s.set_growth_interval(n + 1)  # slower\n"
    )


# accumulation


def zeroed(text: str, line: str) -> str:
    return repaired(text, repair("zero_after_step", text, "opt.zero_grad()", step_line=line))


def test_zeroing_moves_behind_the_last_of_the_step_and_in_front_of_the_loop() -> None:
    before = (
        "for x in d:\n    # clean\n    opt.zero_grad()\n    go(x)\n    if i % 4 == 0:\n        if amp:\n"
        "            s.step(opt)\n            s.update()\n        else:\n            opt.step()\n        sched.step()\n"
    )
    assert zeroed(before, "7") == (
        "# clean\nopt.zero_grad()\nfor x in d:\n    go(x)\n    if i % 4 == 0:\n        if amp:\n"
        "            s.step(opt)\n            s.update()\n        else:\n            opt.step()\n        sched.step()\n"
        "        opt.zero_grad()\n"
    )


def test_zeroing_that_stands_behind_the_step_already_is_not_doubled() -> None:
    before = "for x in d:\n    opt.zero_grad()\n    if i % 4 == 0:\n        s.step(opt)\n        opt.zero_grad()\n"
    assert zeroed(before, "4") == (
        "opt.zero_grad()\nfor x in d:\n    if i % 4 == 0:\n        s.step(opt)\n        opt.zero_grad()\n"
    )


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("for x in d:\n    y = opt.zero_grad()\n    s.step(opt)\n", "3", "statement of its own"),
        ("for x in d:\n    if a:\n        opt.zero_grad()\n    s.step(opt)\n", "4", "nothing else stands beside"),
        (
            "for x in d:\n    opt.zero_grad()\n    if i % 2:\n        s.step(opt)\n    else:\n        go()\n",
            "4",
            "branches",
        ),
        ("for x in d:\n    opt.zero_grad()\n    go()\n", "3", "no longer"),
    ],
)
def test_zeroing_that_cannot_move_is_refused(text: str, line: str, reason: str) -> None:
    with pytest.raises(CannotRepair, match=reason):
        zeroed(text, line)


@pytest.mark.parametrize(
    ("before", "loss", "after"),
    [
        ("s.scale(loss).backward()", "loss", "s.scale(loss / k).backward()"),
        ("s.scale(a + b).backward()", "a + b", "s.scale((a + b) / k).backward()"),
        ("loss.backward()", "loss", "(loss / k).backward()"),
        ("(a + b).backward()", "a + b", "((a + b) / k).backward()"),
    ],
)
def test_a_loss_is_divided_as_a_whole(before: str, loss: str, after: str) -> None:
    text = f"{before}\n"
    assert repaired(text, repair("divide_loss", text, loss, count="k")) == f"{after}\n"


# gradients


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("g = grad(y)\n", "g = grad(y)\ninv_scale = 1.0 / s.get_scale()\ng = [grad * inv_scale for grad in g]\n"),
        ("(g,) = grad(y)\n", "(g,) = grad(y)\ninv_scale = 1.0 / s.get_scale()\ng = g * inv_scale\n"),
        ("g = grad(y)[0]\n", "g = grad(y)[0]\ninv_scale = 1.0 / s.get_scale()\ng = g * inv_scale\n"),
    ],
)
def test_gradients_are_divided_by_the_scale_in_the_form_they_have(before: str, after: str) -> None:
    assert repaired(before, repair("unscale_penalty", before, "grad(y)", scaler="s")) == after


@pytest.mark.parametrize("text", ["use(grad(y))\n", "a, b = grad(y)\n", "g = grad(y)[1:]\n"])
def test_gradients_without_a_name_are_refused(text: str) -> None:
    with pytest.raises(CannotRepair, match="name"):
        repaired(text, repair("unscale_penalty", text, "grad(y)", scaler="s"))


def test_a_scrub_goes_with_the_loop_that_holds_nothing_else() -> None:
    text = "a()\nfor p in ps:\n    if p.grad is not None:\n        p.grad.nan_to_num_()\nb()\n"
    assert repaired(text, repair("drop_scrub", text, "p.grad.nan_to_num_()")) == "a()\nb()\n"
    text = "for p in ps:\n    p.grad.nan_to_num_()\n    count(p)\n"
    assert repaired(text, repair("drop_scrub", text, "p.grad.nan_to_num_()")) == "for p in ps:\n    count(p)\n"


MANUAL = """\
import torch

def train(opt, data):
    for x in data:
        loss = net(x)
        {product}
        {backward}
        for p in ps:
            {division}
        opt.step()
"""


def manual(text: str) -> str:
    source = "scaled.backward()" if "scaled.backward()" in text else "loss.backward()"
    lines = [number for number, line in enumerate(text.splitlines(), 1) if "for p in" in line]
    arguments = {"optimizer": "opt", "loss": "loss", "scale": "1024", "unscale_line": str(lines[0])}
    return repaired(text, repair("replace_manual_scale", text, source, **arguments))


@pytest.mark.parametrize(
    ("product", "backward"), [("scaled = loss * 1024", "scaled.backward()"), ("loss *= 1024", "loss.backward()")]
)
def test_a_constant_scale_leaves_nothing_behind(product: str, backward: str) -> None:
    after = manual(MANUAL.format(product=product, backward=backward, division="p.grad.div_(1024)"))
    assert after == (
        'import torch\n\ndef train(opt, data):\n    scaler = torch.amp.GradScaler("cuda")\n    for x in data:\n'
        "        loss = net(x)\n        scaler.scale(loss).backward()\n        scaler.unscale_(opt)\n"
        "        scaler.step(opt)\n        scaler.update()\n"
    )


def test_a_loop_that_does_more_than_divide_is_refused() -> None:
    text = MANUAL.format(product="pass", backward="loss.backward()", division="p.grad.div_(1024); count(p)")
    with pytest.raises(CannotRepair, match="does more than that"):
        manual(text)
