"""What popular guides advise about mixed precision, applied without a look at the loop's own trouble.

1. Clip after `scaler.unscale_(optimizer)`: every guide has this recipe, and it is right.
2. Otherwise "float16 is unstable, use bfloat16": the dtype of every autocast region becomes bfloat16.
3. "Add a small epsilon": every logarithm and square root gets + 1e-8 inside.
4. "Gradients explode under AMP, clip them": where nothing clips, norms are clipped to 1.0 before the scaler's step,
   by the recipe of 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst
import libcst.matchers as m

_CLIP = m.Call(func=m.Attribute(attr=m.Name("clip_grad_norm_") | m.Name("clip_grad_value_")))
_UNSCALE = m.Call(func=m.Attribute(attr=m.Name("unscale_")))
_SCALER_STEP = m.Call(func=m.Attribute(attr=m.Name("step")), args=[m.Arg()])
_AUTOCAST = m.Call(func=m.Name("autocast") | m.Attribute(attr=m.Name("autocast")))
_DTYPE = m.Arg(keyword=m.Name("dtype"))
_LOG = m.Call(
    func=m.Attribute(value=m.Name("torch"), attr=m.Name("log") | m.Name("sqrt")),
    args=[m.Arg(keyword=None), m.ZeroOrMore()],
)


def advised(text: str) -> str:
    """A file after the advice. Text that libcst cannot parse stays as it is."""
    try:
        tree = cst.parse_module(text)
    except cst.ParserSyntaxError:
        return text
    if m.findall(tree, _CLIP) and not m.findall(tree, _UNSCALE):
        return tree.visit(_UnscaleBeforeClip(tree)).code
    tree = tree.visit(_Bfloat16()).visit(_Epsilon())
    return tree.visit(_ClipBeforeStep(tree)).code if not m.findall(tree, _CLIP) else tree.code


def _scaler_steps(tree: cst.Module) -> list[tuple[cst.BaseExpression, cst.BaseExpression]]:
    """(scaler, optimizer) of every `scaler.step(optimizer)`."""
    found: list[tuple[cst.BaseExpression, cst.BaseExpression]] = []
    for call in m.findall(tree, _SCALER_STEP):
        assert isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute)
        if "scaler" in tree.code_for_node(call.func.value).lower():
            found.append((call.func.value, call.args[0].value))
    return found


def _line(text: str) -> cst.BaseStatement:
    return cst.parse_statement(text)


class _AroundSteps(m.MatcherDecoratableTransformer):
    """Knows the scaler's steps of a file."""

    def __init__(self, tree: cst.Module) -> None:
        super().__init__()
        self._tree = tree
        self._steps = _scaler_steps(tree)


class _UnscaleBeforeClip(_AroundSteps):
    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine | cst.FlattenSentinel[cst.BaseStatement]:
        if not self._steps or not m.findall(original_node, _CLIP):
            return updated_node
        scaler, optimizer = (self._tree.code_for_node(node) for node in self._steps[0])
        return cst.FlattenSentinel([_line(f"{scaler}.unscale_({optimizer})"), updated_node])


class _ClipBeforeStep(_AroundSteps):
    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine | cst.FlattenSentinel[cst.BaseStatement]:
        for scaler, optimizer in self._steps[:1]:
            texts = [self._tree.code_for_node(node) for node in (scaler, optimizer)]
            if self._tree.code_for_node(original_node).strip() == f"{texts[0]}.step({texts[1]})":
                return cst.FlattenSentinel([*self._clip(*texts), updated_node])
        return updated_node

    @staticmethod
    def _clip(scaler: str, optimizer: str) -> Sequence[cst.BaseStatement]:
        group = f"[p for group in {optimizer}.param_groups for p in group['params']]"
        return [_line(f"{scaler}.unscale_({optimizer})"), _line(f"torch.nn.utils.clip_grad_norm_({group}, 1.0)")]


class _Bfloat16(m.MatcherDecoratableTransformer):
    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        if not m.matches(original_node, _AUTOCAST):
            return updated_node
        kept = [argument for argument in updated_node.args if not m.matches(argument, _DTYPE)]
        dtype = cst.Arg(
            keyword=cst.Name("dtype"),
            value=cst.parse_expression("torch.bfloat16"),
            equal=cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace("")),
        )
        return updated_node.with_changes(args=[*kept, dtype])


class _Epsilon(m.MatcherDecoratableTransformer):
    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        if not m.matches(original_node, _LOG):
            return updated_node
        first, *rest = updated_node.args
        value = cst.BinaryOperation(
            left=first.value.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
            if not isinstance(first.value, (cst.Name, cst.Call, cst.Attribute))
            else first.value,
            operator=cst.Add(),
            right=cst.Float("1e-8"),
        )
        return updated_node.with_changes(args=[first.with_changes(value=value), *rest])
