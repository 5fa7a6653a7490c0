"""Dispatch modes that start and stop between the calls of a loop, which may enter modes of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode


class GuestMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A mode without a block: `start` and `stop` it at any time, in any order with other guests.

    One that is stopped below a mode of the loop's own cannot leave yet. It lets every op pass unseen, and leaves when a
    guest starts or stops later on.
    """

    barred = False  # never to start

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.running = False
        self._entered = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()  # type: ignore[no-untyped-call]

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Compiled code stays compiled under this mode, and unseen (older versions of torch do not ask)."""
        return True

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Whether torch wraps each dispatch against being compiled, for what it costs: needless where it does not
        compile into this mode."""
        return not hasattr(TorchDispatchMode, "ignore_compile_internals")

    def observe(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Run the op, look at it, and return its result."""
        raise NotImplementedError

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not self.running:
            return func(*args, **(kwargs or {}))
        return self.observe(func, args, kwargs or {})

    def start(self) -> None:
        if self.barred:
            return
        self.running = True
        _let_stopped_leave()
        if not self._entered:
            self.__enter__()  # type: ignore[no-untyped-call]
            self._entered = True

    def stop(self) -> None:
        self.running = False
        _let_stopped_leave()


OpWatcher = Callable[[Any, Any, Any, Any], None]
"""Called with an op that has run, its arguments, its keyword arguments and its result."""


class OpListener(Protocol):
    """Who wants to be shown ops of some kinds."""

    def wants(self, func: Any, /) -> bool:
        """Whether ops of this kind are to be shown; asked once for each."""

    def __call__(self, func: Any, args: Any, kwargs: Any, out: Any, /) -> None:
        """Such an op has run."""


class OpWatch(GuestMode):
    """A mode that shows ops to those who want their kind. Most ops nobody wants, and those cost little."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._watchers: dict[int, tuple[tuple[OpWatcher, ...], Any]] = {}  # by id, since hashing an op is slow

    def watchers(self, func: Any) -> Iterable[OpWatcher]:
        """Those who want ops of this kind."""
        raise NotImplementedError

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **kwargs) if kwargs else func(*args)
        if self.running:
            known = self._watchers.get(id(func))
            if known is None:
                known = self._watchers[id(func)] = tuple(self.watchers(func)), func
            for watcher in known[0]:
                watcher(func, args, kwargs or {}, out)
        return out


def guests_only() -> bool:
    """Whether no mode of the loop's own is the innermost one."""
    top = _get_current_dispatch_mode()
    return top is None or isinstance(top, GuestMode)


def _let_stopped_leave() -> None:
    stay = []
    while isinstance(top := _get_current_dispatch_mode(), GuestMode):
        top.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        if top.running:
            stay.append(top)
        else:
            top._entered = False
    for mode in reversed(stay):
        mode.__enter__()  # type: ignore[no-untyped-call]
