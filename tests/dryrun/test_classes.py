"""Classes and their objects."""

from __future__ import annotations

import pytest

from tests.dryrun.programs import run, told

_STEP = [("step", "GradScaler")]


@pytest.mark.parametrize(
    "program",
    [
        # inheritance and super
        """
        class Base:
            def __init__(self, scaler):
                self.scaler = scaler
            def fit(self):
                self.step()
        class Trainer(Base):
            def __init__(self, scaler, optimizer):
                super().__init__(scaler)
                self.optimizer = optimizer
            def step(self):
                self.scaler.step(self.optimizer)
        Trainer(scaler, optimizer).fit()
        """,
        # a property
        """
        class Trainer:
            @property
            def scaler(self):
                return scaler
            def step(self):
                self.scaler.step(optimizer)
        Trainer().step()
        """,
        # an attribute of the class
        """
        class Trainer:
            scaler = GradScaler()
            @classmethod
            def step(cls):
                cls.scaler.step(optimizer)
        Trainer.step()
        """,
        # a record
        """
        from dataclasses import dataclass
        @dataclass
        class State:
            scaler: object
            optimizer: object = None
        state = State(scaler, optimizer=optimizer)
        state.scaler.step(state.optimizer)
        """,
        # an object that is called
        """
        class Wrapped:
            def __init__(self):
                self._scaler = GradScaler()
            def __call__(self, loss, optimizer):
                self._scaler.step(optimizer)
        loss_scaler = Wrapped()
        loss_scaler(loss, optimizer)
        """,
        # a method handed on, and one that is begun
        """
        from functools import partial
        def call(function, *args, **kwargs):
            return function(*args, **kwargs)
        class Trainer:
            def step(self, scaler, optimizer):
                scaler.step(optimizer)
        call(partial(Trainer().step, scaler), optimizer=optimizer)
        """,
        # a static method kept in a name
        """
        class Trainer:
            @staticmethod
            def step(scaler, optimizer):
                scaler.step(optimizer)
        step = Trainer().step
        step(scaler, optimizer)
        """,
        # a decorated method
        """
        import functools
        def timed(function):
            @functools.wraps(function)
            def inner(self, *args, **kwargs):
                return function(self, *args, **kwargs)
            return inner
        class Base:
            def step(self, scaler):
                scaler.step(self.optimizer)
        class Trainer(Base):
            def __init__(self):
                self.optimizer = optimizer
            @timed
            def step(self, scaler):
                super().step(scaler)
        Trainer().step(scaler)
        """,
        # an object that manages a context
        """
        class Stepping:
            def __enter__(self):
                return scaler
            def __exit__(self, *args):
                pass
        with Stepping() as entered:
            entered.step(optimizer)
        """,
        # setattr and getattr
        """
        class Empty:
            pass
        empty = Empty()
        setattr(empty, "scaler", scaler)
        getattr(empty, "scaler").step(optimizer)
        """,
        # a class made by a function
        """
        def make(kind):
            class Trainer:
                def step(self):
                    kind.step(optimizer)
            return Trainer
        make(scaler)().step()
        """,
        # one of two classes
        """
        class A:
            def step(self): scaler.step(optimizer)
        class B:
            def step(self): pass
        kind = A if flag else B
        kind().step()
        """,
        # a method asked of the class
        """
        class Trainer:
            def step(self, scaler):
                scaler.step(optimizer)
        Trainer.step(Trainer(), scaler)
        """,
        # a getter for what is not there
        """
        class Wrapped:
            def __init__(self, inner):
                self.inner = inner
            def __getattr__(self, name):
                return getattr(self.inner, name)
        Wrapped(scaler).step(optimizer)
        """,
    ],
)
def test_follows_objects(program: str) -> None:
    assert told(run(program), "step") == _STEP
