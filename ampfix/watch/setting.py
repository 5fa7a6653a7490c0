"""What is wrong with the way a run uses AMP though its events are in order: something is missing or does nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ampfix.protocol import Broken, Event, EventKind, Violation
from ampfix.rules import bad_scaler_config
from ampfix.watch import gradients
from ampfix.watch.alarms import Alarm, Alarms, rule_name
from ampfix.watch.facts import StepFacts
from ampfix.watch.journal import Journal
from ampfix.watch.products import ProductUse
from ampfix.watch.tensors import HALVES

_HALF_NAMES = frozenset({"float16", "bfloat16"})
_IDLE_UPDATES = 16  # scalers updated this often without a step: more than a large first scale needs to settle
_FIRST_WITH_BFLOAT16 = (8, 0)  # compute capability of Ampere
_FRESH_SCALERS = 3  # new ones in as many attempts: nobody needs more than a few in a run


class Setting:
    """Call `handlers` with events of their kind, and with violations and attempts; `finish` when the run has ended."""

    def __init__(self, journal: Journal, products: ProductUse, alarms: Alarms) -> None:
        self._journal, self._products, self._alarms = journal, products, alarms
        self._seen_optimizers: set[str] = set()
        self._saved_without: Event | None = None
        self._saved_scaler = False
        self._half_saved: Event | None = None
        self._last_half_load: Event | None = None
        self._stepped_in_region: Event | None = None
        self._scaler_names: set[str] = set()
        self._idle_updates = 0
        self._backward: Event | None = None
        self._met_bfloat16 = False
        self._closures: set[tuple[str, int]] = set()  # where the scaler's step is given one
        self.handlers: dict[EventKind, Callable[[Event], None]] = {
            EventKind.BACKWARD: self._on_backward,
            EventKind.SCALER_STEP: self._on_step,
            EventKind.OPTIMIZER_STEP: self._on_step,
            EventKind.SCALE: self._on_scale,
            EventKind.AUTOCAST_ENTER: self._on_region,
            EventKind.AUTOCAST_EXIT: self._on_region_end,
            EventKind.UPDATE: self._on_update,
            EventKind.CHECKPOINT_SAVE: self._on_save,
            EventKind.CHECKPOINT_LOAD: self._on_load,
        }

    def overrules(self, broken: Broken) -> str:
        """The code of a bug that explains a violation better than its own rule, "" for none."""
        if broken.violation is Violation.FP16_WITHOUT_SCALER and self._journal.scaler_is_off:
            return "AMP208"
        return "AMP119" if (broken.event.path, broken.event.line) in self._closures else ""

    def stepped(self, step: StepFacts) -> None:
        if step.optimizer not in self._seen_optimizers:
            self._seen_optimizers.add(step.optimizer)
            self._look_at(dict(self._journal.optimizers.live()).get(step.optimizer), step)
            self._look_at_scalers(step)
        if self._products.seen:
            self._look_at_work(step)
        if self._last_half_load is not None:
            event, self._last_half_load = self._last_half_load, None
            self._raise("AMP306", event, "training goes on from weights that the checkpoint holds in half: each resume "
                        "rounds them, and small updates are lost")  # fmt: skip

    def finish(self) -> None:
        if self._saved_without is not None and not self._saved_scaler and self._journal.state.scaled:
            self._raise("AMP203", self._saved_without, "checkpoints hold the optimizer's state and not the scaler's: a "
                        "resumed run starts from the first scale again")  # fmt: skip

    def _on_backward(self, event: Event) -> None:
        self._backward = event
        if self._stepped_in_region is not None:
            self._raise("AMP410", event, "weights changed inside this autocast region, which still serves their old "
                        "casts from its cache")  # fmt: skip

    def _on_step(self, event: Event) -> None:
        self._idle_updates = 0
        if any(region is not None for region in self._journal.state.autocast):
            self._stepped_in_region = event

    def _on_scale(self, event: Event) -> None:
        if event.scaler is None:
            return
        self._scaler_names.add(event.scaler)
        if len(self._scaler_names) >= _FRESH_SCALERS and len(self._scaler_names) >= self._journal.attempts:
            self._raise("AMP202", event, f"{len(self._scaler_names)} GradScalers in {self._journal.attempts} attempts: "
                        "each starts from the first scale and forgets what the last one learnt")  # fmt: skip

    def _on_region(self, event: Event) -> None:
        if self._met_bfloat16 or event.dtype != "bfloat16":
            return
        self._met_bfloat16 = True
        on_gpu = ("cuda", "bfloat16") in self._journal.regions and torch.cuda.is_available()
        if on_gpu and torch.version.hip is None and torch.cuda.get_device_capability() < _FIRST_WITH_BFLOAT16:
            name = torch.cuda.get_device_name()
            self._raise("AMP302", event, f"bfloat16 on {name}, which only emulates it: slower than float32; "
                        "float16 with a GradScaler uses its tensor cores")  # fmt: skip

    def _on_region_end(self, _event: Event) -> None:
        self._stepped_in_region = None

    def _on_update(self, event: Event) -> None:
        self._idle_updates += 1
        if self._idle_updates == _IDLE_UPDATES:
            message = f"the scaler was updated {_IDLE_UPDATES} times in a row and no step was taken: nothing is trained"
            self._alarms.raise_(Alarm("", "steps-left-out", message, event.path, event.line, event.step))

    def used_private(self, name: str, place: tuple[str, int]) -> None:
        """The loop called a private method of the scaler."""
        message = f"{name} is private to torch: it tells per device, and is true of any optimizer that was looked at"
        self._alarms.raise_(Alarm("AMP206", rule_name("AMP206"), message, *place, self._journal.attempts))

    def handed_closure(self, place: tuple[str, int]) -> None:
        """The loop handed a closure to the scaler's step."""
        self._closures.add(place)
        message = "a closure is handed to the scaler's step: its gradients arrive inside, where nothing unscales them"
        self._alarms.raise_(Alarm("AMP119", rule_name("AMP119"), message, *place, self._journal.attempts))

    def _on_save(self, event: Event) -> None:
        self._saved_scaler |= event.scaler is not None
        if event.optimizers and event.scaler is None and self._saved_without is None and self._journal.state.scaled:
            self._saved_without = event

    def _on_load(self, event: Event) -> None:
        if event.dtype is not None and event.optimizers:
            self._last_half_load = event

    def _look_at_scalers(self, step: StepFacts) -> None:
        for _, scaler in self._journal.scalers.live():
            first = getattr(scaler, "_init_scale", None)
            if isinstance(first, bool) or first == 0:
                self._raise("AMP605", step, f"the scaler's first scale is {float(first or 0):g}: a switch was passed "
                            "where init_scale stands")  # fmt: skip
            elif isinstance(first, (int, float)):
                fault = bad_scaler_config.fault(
                    float(first),
                    scaler.get_growth_factor(),
                    scaler.get_backoff_factor(),
                    float(scaler.get_growth_interval()),
                )
                if fault is not None:
                    self._raise("AMP207", step, fault[1])

    def _look_at(self, optimizer: Any, step: StepFacts) -> None:
        parameters = [item for item in gradients.parameters_of(optimizer) if item.is_floating_point()]
        half = [item for item in parameters if item.dtype in HALVES]
        if parameters and len(half) == len(parameters):
            dtype = str(half[0].dtype).removeprefix("torch.")
            self._raise("AMP301", step, f"the optimizer updates weights in {dtype}: "
                        "updates below half an ulp of the weight are lost")  # fmt: skip

    def _look_at_work(self, step: StepFacts) -> None:
        """A scaler is at work, and no product ran in half."""
        work = self._products.by_dtype
        wants_half = step.scale is not None or any(dtype is not None for _, dtype in self._journal.regions)
        if not wants_half or not sum(work.values()) or any(work[name] for name in _HALF_NAMES):
            return
        place = self._backward or step
        enabled = {device for device, dtype in self._journal.regions if dtype is not None}
        device = self._device(step.optimizer)
        if enabled and device and device not in enabled:
            self._raise("AMP307", place, f"autocast is entered for {', '.join(sorted(enabled))} and the model is on "
                        f"{device}: nothing runs in half")  # fmt: skip
        elif not enabled and self._journal.regions:
            self._raise("AMP602", place, "autocast is entered switched off, and the scaler scales: all products run in "
                        "float32")  # fmt: skip
        elif not enabled:
            self._raise("AMP210", place, "a GradScaler is at work without autocast: all products run in float32")

    def _device(self, name: str) -> str:
        for known, optimizer in self._journal.optimizers.live():
            if known == name:
                return next((item.device.type for item in gradients.parameters_of(optimizer)), "")
        return ""

    def _raise(self, code: str, where: Event | StepFacts, message: str) -> None:
        step = where.step if isinstance(where, Event) else where.attempt
        self._alarms.raise_(Alarm(code, rule_name(code), message, where.path, where.line, step))
