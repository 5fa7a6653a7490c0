"""What dry runs tell of the states that checkpoints keep."""

from __future__ import annotations

from ampfix.dryrun import Event
from ampfix.dryrun.values import StateOf
from tests.dryrun.programs import run, told


def _saved(program: str) -> Event:
    (event,) = (one for one in run(program).events if one.kind == "saved")
    return event


def test_knows_where_a_saved_state_was_taken() -> None:
    event = _saved("state = optimizer.state_dict()\ntorch.save({'optimizer': state}, 'x')\n")
    (state,) = event.states
    assert isinstance(state, StateOf)
    assert state.taken[-1].line == event.place.line - 1


def test_a_key_that_one_way_adds_may_be_saved() -> None:
    program = """
state = {'optimizer': optimizer.state_dict()}
if len(model.names) > 2:
    state['scaler'] = scaler.state_dict()
torch.save(state, 'x')
"""
    event = _saved(program)
    assert [one.made_by.rpartition(".")[2] for one in event.others] == ["SGD", "GradScaler"]
    assert event.whole


def test_a_scaler_that_is_off_steps_nothing() -> None:
    assert told(run("scaler = GradScaler(enabled=False)\nscaler.step(optimizer)\n")) == [("optimizer step", "SGD")]


def test_a_scaler_steps_where_its_switch_is_on() -> None:
    ran = run("on = len(model.names) > 2\nscaler = GradScaler(enabled=on)\nscaler.step(optimizer)\n")
    (event,) = (one for one in ran.events if one.kind == "step")
    assert [holds for _, holds in event.assumed] == [True]


def test_settings_not_wholly_seen_hide_no_state() -> None:
    taken = "'optimizer': optimizer.state_dict()"
    assert _saved(f"torch.save({{{taken}, 'config': {{'lr': 0.1, **model.settings}}}}, 'x')\n").whole
    assert not _saved(f"torch.save({{{taken}, 'more': {{**model.states}}}}, 'x')\n").whole
    assert not _saved(f"torch.save({{{taken}, **model.states}}, 'x')\n").whole
    assert not _saved(f"torch.save({{{taken}, 'scaler': model.scaler_state}}, 'x')\n").whole
