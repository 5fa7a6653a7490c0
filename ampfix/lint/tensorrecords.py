"""Records every operation on tensors, as it is evaluated."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod

from ampfix.lint.dtypes import Outcome, outcome
from ampfix.lint.resolve import Resolver
from ampfix.lint.tensorframes import Frame
from ampfix.program import Dtype, Value


class OperationRecorder(ABC):
    """Makes values; those of operations are kept in `operations`, in the order of their evaluation."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self.operations: list[Value] = []

    @abstractmethod
    def value(self, node: ast.expr | None, frame: Frame) -> Value:
        """What an expression holds."""

    def _input(self, node: ast.expr, frame: Frame, *, is_number: bool = False) -> Value:
        dtype = Dtype.NUMBER if is_number else Dtype.UNKNOWN
        return Value("input", dtype, node, context=frame.context, function=frame.function, scalar=is_number)

    def _made(
        self,
        op: str,
        node: ast.expr,
        operands: list[Value],
        parts: list[ast.expr],
        frame: Frame,
        keywords: dict[str, Value] | None = None,
        *,
        in_place: bool = False,
        known: Outcome | None = None,
        symbol: str = "",
    ) -> Value:
        keywords = keywords or {}
        found = known or outcome(
            op,
            operands,
            frame.context,
            in_place=in_place,
            requested=keywords.get("dtype"),
            reduces_all=len(operands) < 2 and "dim" not in keywords and "axis" not in keywords,
        )
        made = Value(
            op,
            found.dtype,
            node,
            tuple(operands),
            tuple(parts),
            keywords,
            in_place=in_place,
            sure=found.sure,
            scalar=found.scalar,
            context=frame.context,
            names=frame.snapshot(),
            function=frame.function,
            symbol=symbol,
            site=frame.call,
            origin=_origin(node, frame) if frame.call is not None else "",
        )
        if frame.opened_in is None:
            self.operations.append(made)
        return made


def _origin(node: ast.AST, frame: Frame) -> str:
    path = frame.scope.file.path if frame.scope.file is not None else ""
    return f"{path}:{getattr(node, 'lineno', 1)}"
