"""What calls return: torch's functions, methods and layers, and functions of the project by walking into them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.lint import ops
from ampfix.lint.dtypes import Outcome, promoted
from ampfix.lint.handed import Handed
from ampfix.lint.interest import Reach
from ampfix.lint.resolve import Resolver
from ampfix.lint.tensorcallees import Found, TensorCallees
from ampfix.lint.tensorframes import Frame, is_near
from ampfix.lint.tensorwalks import Enter, FunctionWalker
from ampfix.lint.usage import dotted
from ampfix.patterns import pattern
from ampfix.program import Autocast, Binding, Dtype, Form, Value
from ampfix.program.spelling import last_name
from ampfix.records import replace

_NETWORK = pattern(
    r"(^|[_.])(model|module|backbone|encoder|decoder|head|generator|discriminator|student|teacher|unet|vae|mlp|fc|linear|"
    r"conv)([_.]|\d|$)|net(work)?\d*($|\.)",
    re.IGNORECASE,
)
_NO_FORWARD = pattern(
    r"\.(parameters|modules|children|train|eval|to|cuda|zero_grad|\w*_dict|named_\w+|apply|backward)$"
)
NUMBER_NAME = pattern(r"(^|_)(temperature|temp|tau|eps|epsilon|alpha|gamma|beta|lambda|margin|lr)(_|\d|$)")
NO_TENSOR = pattern(r"loss|mask|idx|index|state|len|size|shape|count|label|target", re.IGNORECASE)
_NUMBERS = frozenset({"item", "size", "dim", "numel", "ndimension", "stride", "get_device", "data_ptr"})
_NUMBER_FUNCTIONS = frozenset({"len", "int", "float", "round", "min", "max", "math", "numpy"})
_CASTS = {
    "half": Dtype.FLOAT16,
    "bfloat16": Dtype.BFLOAT16,
    "float": Dtype.FLOAT32,
    "double": Dtype.FLOAT32,
}
_CREATORS = frozenset(
    {"zeros", "ones", "empty", "full", "rand", "randn", "arange", "linspace", "eye", "tensor", "normal", "as_tensor"}
)
_LIKE = frozenset({"zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like"})
_ARRANGEMENTS = frozenset({"einops.rearrange", "einops.repeat"})
_CONTAINERS = (ast.Tuple, ast.List, ast.Set)


_CHOSEN = (Form.INSTANCE, Form.OBJECT)


class CallEvaluator(FunctionWalker):
    """Evaluates calls in frames."""

    def __init__(self, resolver: Resolver, handed: Handed, callees: TensorCallees, reach: Reach, enter: Enter) -> None:
        super().__init__(resolver, callees, reach, enter)
        self._handed = handed

    def _call(self, node: ast.Call, frame: Frame) -> Value:
        operands = [self.value(argument, frame) for argument in node.args]
        keywords = {keyword.arg or "**": self.value(keyword.value, frame) for keyword in node.keywords}
        parts = list(node.args)
        custom = self._custom_function(node.func, frame)
        if custom is not None:
            arguments = [custom, *parts]
            return self._made(
                "custom_function", node, operands, arguments, frame, keywords, known=Outcome(Dtype.UNKNOWN)
            )
        first: Value | None = None
        bindings, there = self._callees(node.func, [*operands, *keywords.values()], frame)
        found, around = list(_distinct(bindings)), (frame.context, frame.opened_in)
        if there is not frame and there.scope.file is not frame.opened_in:
            frame.opened_in = None  # the file of the region does not see what it is handed
        if sum(binding.form is Form.OBJECT for binding in found) > 1:
            frame.context = replace(frame.context, sure=False, optional=True)  # a configuration picks one
        for binding in found:
            if first is None or binding.form in _CHOSEN:  # of a choice of layers each is recorded
                known = self._bound(binding, node, operands, parts, keywords, frame)
                first = first or known
        frame.context, frame.opened_in = around
        if first is not None:
            return first
        if isinstance(node.func, ast.Attribute):
            return self._method(node, node.func, operands, parts, keywords, frame)
        name = dotted(node.func) or ""
        if name == "map" and len(operands) == 2:
            return self._mapped(node, operands[1], frame)
        if name in _NUMBER_FUNCTIONS:
            return self._input(node, frame, is_number=True)
        return self._network(name, node, operands, frame)

    def _mapped(self, node: ast.Call, over: Value, frame: Frame) -> Value:
        """`map(lambda t: ..., (q, k, v))`: what comes of each."""
        function = node.args[0]
        if not isinstance(function, ast.Lambda) or len(function.args.args) != 1:
            return self._input(node, frame)
        items = over.operands if over.op == "tuple" else (over,)
        results = tuple(self._applied(function, item, frame) for item in items)
        if over.op == "tuple":
            return Value("tuple", promoted(results).dtype, node, results, context=frame.context)
        return replace(results[0], op="unbind")

    def _applied(self, function: ast.Lambda, item: Value, frame: Frame) -> Value:
        name = function.args.args[0].arg
        before = frame.names.get(name)
        frame.bind(name, item)
        result = self.value(function.body, frame)
        if before is None:
            frame.restore({path: held for path, held in frame.names.items() if path != name})
        else:
            frame.bind(name, before)
        return result

    def _callees(self, callee: ast.expr, operands: list[Value], frame: Frame) -> Found:
        """What a call may run. Imports of the project are followed, which costs parsing, only where halves can be."""
        concerned = frame.context.state in (Autocast.ON, Autocast.ISLAND) or any(
            operand.is_half for operand in operands
        )
        if not concerned and not is_near(callee, frame.scope) and last_name(callee) not in self._reach.names:
            return (), frame
        element = frame.elements.get(callee.id) if isinstance(callee, ast.Name) else None
        if element is not None:
            return self._handed.of(self._resolver.resolve(*element)), frame
        return self._held.of(callee, frame)

    def _custom_function(self, callee: ast.expr, frame: Frame) -> ast.expr | None:
        """The class of an autograd Function whose `apply` the callee is, by itself or under another name."""
        if isinstance(callee, ast.Name):
            held = [definition.value for definition in frame.scope.lookup(callee.id)]
            callee = held[0] if len(held) == 1 and held[0] is not None else callee
        if not isinstance(callee, ast.Attribute) or callee.attr != "apply":
            return None
        for binding in self._callees(callee.value, [], frame)[0]:
            bases = self._resolver.external_bases(binding.node) if binding.form is Form.CLASS else []
            if any(base.startswith("torch.autograd") and base.endswith("Function") for base in bases):
                return callee.value
        return None

    def _bound(
        self,
        binding: Binding,
        node: ast.Call,
        operands: list[Value],
        parts: list[ast.expr],
        keywords: dict[str, Value],
        frame: Frame,
    ) -> Value | None:
        """The result where the callee is known."""
        if binding.form is Form.SYMBOL:
            return self._function(binding.symbol, node, operands, parts, keywords, frame)
        if binding.form is Form.INSTANCE:
            op = ops.of_layer(binding.symbol)
            if op == "sequential":
                return self._sequential(binding, node, operands, frame)
            if op == "identity":
                return operands[0] if operands else None
            if op is None or op.startswith("module"):
                return None
            return self._made(op, node, operands, parts, frame, keywords, symbol=binding.symbol)
        if binding.form is Form.FUNCTION:
            return self._inlined(binding.node, node, operands, keywords, frame, within=binding.scope)
        if binding.form is Form.OBJECT:
            return self._object(binding, node, operands, keywords, frame)
        if binding.form is Form.CLASS:
            return Value("object", Dtype.UNKNOWN, node, tuple(operands))
        return None

    def _function(
        self,
        symbol: str,
        node: ast.Call,
        operands: list[Value],
        parts: list[ast.expr],
        keywords: dict[str, Value],
        frame: Frame,
    ) -> Value | None:
        op = ops.of_symbol(symbol)
        if symbol in _ARRANGEMENTS and operands:
            return self._made(
                "view", node, operands[:1], parts[:1], frame, known=Outcome(operands[0].dtype, operands[0].sure)
            )
        if op is None:
            is_number = symbol.partition(".")[0] in _NUMBER_FUNCTIONS
            return self._input(node, frame, is_number=True) if is_number else None
        if op in _CREATORS or op in _LIKE:
            return self._created(op, node, operands, parts, keywords, frame)
        if op in ("cat", "stack", "hstack", "vstack") and operands and operands[0].op == "tuple":
            operands = [*operands[0].operands, *operands[1:]]
        if not operands and (first := keywords.get("input", keywords.get("query"))) is not None:
            operands, parts = [first], [next(k.value for k in node.keywords if k.arg in ("input", "query"))]
        in_place = ops.is_in_place(op) or "out" in keywords
        name = ops.of_method(op) if ops.is_in_place(op) else op
        if "out" in keywords:
            known = Outcome(keywords["out"].dtype, keywords["out"].sure)
            return self._made(name, node, operands, parts, frame, keywords, in_place=True, known=known, symbol=symbol)
        made = self._made(name, node, operands, parts, frame, keywords, in_place=in_place, symbol=symbol)
        if in_place and parts and (path := dotted(parts[0])) is not None:
            frame.bind(path, made)
        return made

    def _created(
        self,
        op: str,
        node: ast.Call,
        operands: list[Value],
        parts: list[ast.expr],
        keywords: dict[str, Value],
        frame: Frame,
    ) -> Value:
        """A new tensor: of the dtype asked for, else of the model tensor's or float32."""
        requested = keywords.get("dtype")
        if requested is not None:
            known = Outcome(requested.dtype, requested.sure)
        elif op in _LIKE and operands:
            known = Outcome(operands[0].dtype, operands[0].sure)
        elif op in ("tensor", "as_tensor", "full", "arange"):
            is_number = op == "tensor" and bool(operands) and operands[0].dtype is Dtype.NUMBER
            known = Outcome(Dtype.NUMBER if is_number else Dtype.UNKNOWN, scalar=is_number)
        else:
            known = Outcome(Dtype.FLOAT32)
        return self._made(op, node, operands, parts, frame, keywords, known=known)

    def _method(
        self,
        node: ast.Call,
        function: ast.Attribute,
        operands: list[Value],
        parts: list[ast.expr],
        keywords: dict[str, Value],
        frame: Frame,
    ) -> Value:
        receiver, name = self.value(function.value, frame), function.attr
        if name in _NUMBERS:
            return self._input(node, frame, is_number=True)
        if name in _CASTS and not operands:
            return self._made("cast", node, [receiver], [function.value], frame, known=Outcome(_CASTS[name]))
        if name in ("to", "type", "type_as", "astype"):
            return self._cast(node, receiver, function.value, operands, keywords, frame)
        op = ops.of_method(name)
        if receiver.op == "network" and op not in ops.TENSOR_METHODS:
            return self._network(name, node, [receiver], frame)
        if op not in ops.TENSOR_METHODS:
            return self._network(dotted(function) or "", node, operands, frame)
        if op == "where":
            operands = [*operands[:1], receiver, *operands[1:]]
            return self._made(op, node, operands, [*parts[:1], function.value, *parts[1:]], frame, keywords)
        in_place = ops.is_in_place(name)
        known = Outcome(receiver.dtype, receiver.sure) if op.startswith("new_") else None
        made = self._made(
            op, node, [receiver, *operands], [function.value, *parts], frame, keywords, in_place=in_place, known=known
        )
        if in_place and (path := dotted(function.value)) is not None:
            frame.bind(path, made)
        return made

    def _cast(
        self,
        node: ast.Call,
        receiver: Value,
        part: ast.expr,
        operands: list[Value],
        keywords: dict[str, Value],
        frame: Frame,
    ) -> Value:
        """`.to(...)`: a dtype, another tensor, or a device, which leaves the dtype alone."""
        wanted = keywords.get("dtype") or next((o for o in operands if o.op == "dtype"), None)
        if wanted is None and operands and (operands[0].is_half or operands[0].dtype is Dtype.FLOAT32):
            wanted = operands[0]
        if wanted is not None:
            known = Outcome(wanted.dtype, wanted.sure)
        elif operands and operands[0].op == "input" and "dtype" in (dotted(operands[0].node) or ""):
            known = Outcome(Dtype.UNKNOWN)
        else:
            known = Outcome(receiver.dtype, receiver.sure, receiver.scalar)
        return self._made("cast", node, [receiver], [part], frame, known=known)

    def _network(self, name: str, node: ast.Call, operands: list[Value], frame: Frame) -> Value:
        """A call of something unknown; in a region, what is named like a network most likely returns half."""
        is_forward = _NETWORK.search(name) and not NO_TENSOR.search(name) and not _NO_FORWARD.search(name)
        if frame.context.state is Autocast.ON and is_forward:
            return self._made("network", node, operands, [], frame, known=Outcome(frame.context.dtype, False))
        return self._input(node, frame)

    def _sequential(self, binding: Binding, node: ast.Call, operands: list[Value], frame: Frame) -> Value | None:
        """What comes out of nn.Sequential(...): its layers, one after the other."""
        if not isinstance(binding.node, ast.Call) or not operands:
            return None
        held = operands[0]
        for layer in binding.node.args:
            known = None
            for inner in self._resolver.resolve(layer, binding.scope or frame.scope):
                known = self._bound(inner, node, [held], [], {}, frame) or known
            held = known or self._input(node, frame)
        if held.dtype is Dtype.UNKNOWN:
            return self._network("model", node, operands, frame)
        return held


def _distinct(bindings: tuple[Binding, ...]) -> Iterator[Binding]:
    """The bindings, of the objects of one class the first."""
    seen = set[ast.AST]()
    for one in bindings:
        if one.form is Form.OBJECT and one.node in seen:
            continue
        seen.add(one.node)
        yield one
