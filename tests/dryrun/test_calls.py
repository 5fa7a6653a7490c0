"""Functions, and what calls them."""

from __future__ import annotations

import pytest

from tests.dryrun.programs import run, told

_STEP = [("step", "GradScaler")]
_DEFINED = "def step(scaler, optimizer):\n    scaler.step(optimizer)\n"


@pytest.mark.parametrize(
    "call",
    [
        "step(scaler, optimizer)",
        "step(optimizer=optimizer, scaler=scaler)",
        "step(*[scaler, optimizer])",
        "step(**{'scaler': scaler, 'optimizer': optimizer})",
        "args = (scaler,)\nstep(*args, optimizer)",
        "(lambda s: step(s, optimizer))(scaler)",
        "[step(one, optimizer) for one in [scaler]]",
        "{'go': step}['go'](scaler, optimizer)",
        "globals()['step'](scaler, optimizer)",
        "steps = {}\nsteps['go'] = step\nsteps.get('go')(scaler, optimizer)",
        "from functools import partial\npartial(step, optimizer=optimizer)(scaler)",
        "import threading\nthreading.Thread(target=step, args=(scaler, optimizer)).start()",
        "import torch.multiprocessing as mp\nmp.spawn(lambda rank, s: step(s, optimizer), args=(scaler,))",
        "list(map(lambda one: step(scaler, one), [optimizer]))",
        "for function in (step,):\n    function(scaler, optimizer)",
        "try:\n    step(scaler, optimizer)\nexcept ValueError:\n    pass",
        "try:\n    raise ValueError\nexcept ValueError:\n    step(scaler, optimizer)",
        "try:\n    pass\nfinally:\n    step(scaler, optimizer)",
        "while True:\n    step(scaler, optimizer)\n    break",
        "if (found := scaler):\n    step(found, optimizer)",
        "a = b = scaler\nstep(b, optimizer)",
        "(a, [b, c]) = (1, [scaler, optimizer])\nstep(b, c)",
        "a, *rest = [scaler, optimizer]\nstep(a, optimizer)",
        "match kind:\n    case 'a':\n        step(scaler, optimizer)\n    case _:\n        pass",
        "async def go():\n    step(scaler, optimizer)\nimport asyncio\nasyncio.run(go())",
        "def go():\n    yield scaler\nfor one in go():\n    step(one, optimizer)",
        "def go():\n    yield from [scaler]\nfor one in go():\n    step(one, optimizer)",
        "def outer(f):\n    return f\n@outer\ndef go():\n    step(scaler, optimizer)\ngo()",
        "def outer(n):\n    def inner(f):\n        return f\n    return inner\n@outer(3)\ndef go():\n"
        "    step(scaler, optimizer)\ngo()",
        "def pair():\n    return scaler, optimizer\nstep(*pair())",
        "def pair():\n    return {'s': scaler, 'o': optimizer}\nstep(pair()['s'], pair()['o'])",
        "del model\nassert scaler, 'none'\nstep(scaler, optimizer)",
        "kept = []\nkept.append(scaler)\nstep(kept[-1], optimizer)",
        "kept = []\nkept += [scaler]\nstep(kept[0], optimizer)",
        "kept = {**{'s': scaler}}\nstep(kept.pop('s'), optimizer)",
        "kept = dict(s=scaler)\nfor name, one in kept.items():\n    step(one, optimizer)",
        "for s, o in zip([scaler], [optimizer]):\n    step(s, o)",
        "for place, s in enumerate([scaler]):\n    step(s, optimizer)",
        "from contextlib import contextmanager\n@contextmanager\ndef go():\n    yield scaler\nwith go() as s:\n"
        "    step(s, optimizer)",
        "def go(*args, **kwargs):\n    step(*args, **kwargs)\ngo(scaler, optimizer=optimizer)",
        "def go(s=scaler):\n    step(s, optimizer)\ngo()",
        "def go(s, /, *, o):\n    step(s, o)\ngo(scaler, o=optimizer)",
    ],
)
def test_reaches_a_function(call: str) -> None:
    assert told(run(_DEFINED + call), "step") == _STEP


@pytest.mark.parametrize(
    "program",
    [
        "if False:\n    scaler.step(optimizer)",
        "def go():\n    return\n    scaler.step(optimizer)\ngo()",
        "import sys\nsys.exit()\nscaler.step(optimizer)",
        "def stop():\n    raise SystemExit\nstop()\nscaler.step(optimizer)",
        "for one in []:\n    scaler.step(optimizer)",
        "kept = None\nif kept is not None:\n    scaler.step(optimizer)",
        "kind = 'a'\nif kind == 'b':\n    scaler.step(optimizer)",
        "while False:\n    scaler.step(optimizer)",
        "def go(scaler=None):\n    if scaler:\n        scaler.step(optimizer)\ngo()",
    ],
)
def test_does_not_reach_what_never_runs(program: str) -> None:
    assert told(run(program), "step") == []


def test_ends_a_loop_where_it_breaks() -> None:
    assert told(run("for one in [1, 2]:\n    scaler.step(optimizer)\n    break"), "step") == _STEP


def test_keeps_ways_apart() -> None:
    program = "if flag:\n    kept = scaler\nelse:\n    kept = GradScaler()\nif flag:\n    kept.step(optimizer)\n"
    ran = run(program + "scaler.update()\n")
    step, update = ran.events
    assert step.subject is update.subject and len(step.assumed) == 1


def test_knows_what_follows_an_early_return() -> None:
    program = (
        "def go():\n    if flag:\n        return\n    scaler.step(optimizer)\ngo()\nif flag:\n    scaler.update()\n"
    )
    step, update = run(program).events
    assert not step.may_meet(update)


@pytest.mark.parametrize(
    "program",
    [
        "def main():\n    scaler.step(optimizer)\nraise SystemExit(main())",
        "data = None\nif data is None:\n    raise ValueError('no data')\nscaler.step(optimizer)",
        "import sys\nif True:\n    sys.exit('no')\nelse:\n    scaler.step(optimizer)",
    ],
)
def test_goes_on_behind_a_guard(program: str) -> None:
    assert told(run(program), "step") == _STEP


def test_ends_a_way_that_a_test_has_chosen() -> None:
    program = (
        "if flag:\n    scaler.update()\nif flag:\n    if flag:\n        raise ValueError\n    scaler.step(optimizer)"
    )
    assert told(run(program), "step") == []
