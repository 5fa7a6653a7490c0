"""The words of files that say none of AMP and hand their model to what trains it in another file."""

from __future__ import annotations

_TRAINER = r"near:Trainer(:\A\s*(?:self\.)?\w*trainer\w* *= *\w*Trainer\("  # of another file, which scales and steps

# A model that is handed to a function or an object of another file, which may train it in a region.
_HANDED = r"(?:[^()#]|\([^()]*\)){0,150}?\b(?:\w*_)?(?:model|net|network|encoder|generator)\b"
_SET = r"\A\s*(?:[\w.,\[\] ]+ = |return )?"
_BY_FUNCTION = (
    rf"near:train_:{_SET}(?:\w+\.)?\w*train_\w+\({_HANDED}",
    *(rf"near:{name}(:{_SET}(?!prepare_)\w*{name}\({_HANDED}" for name in ("train", "training", "fit")),
)
_BY_OBJECT = rf"near:Trainer(:{_SET}\w*Trainer\({_HANDED}"

# A model that such a function returns.
_MADE = (
    r"\A\s*(?:\w[\w, ]*[_, ])?(?:model|net|network|encoder|generator)\b[\w, ]* = (?:(?!\w*(?:model|net)\b)\w+\.)?\w*"
)
_RETURNED = (rf"near:train_:{_MADE}train_\w+\(", *(rf"near:{name}(:{_MADE}{name}\(" for name in ("train", "fit")))

TRAINED_ELSEWHERE = (
    (_TRAINER, "valuat"),
    *((_BY_OBJECT, word) for word in ("eval", "no_grad", ".parameters()")),
    *((made, word) for made in _RETURNED for word in ("eval", "test")),
    *((handed, word) for handed in _BY_FUNCTION for word in (".parameters()", "state_dict", "evaluate(", "validate(")),
)
