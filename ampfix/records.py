"""Dataclasses that cost next to nothing to define.

`check` defines a hundred of them before it reads its first file, which takes the standard library 50 ms: it writes and
compiles five methods for each, and imports `inspect`. Here a constructor is written when it is first called, and what
compares or hashes is shared. A type checker is told that they are the standard ones, and it alone keeps frozen ones
from being changed: the frozen ones of the standard library also take three times as long to make.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    _MISSING = object()
    _Made = TypeVar("_Made")

    class field:
        """What is to be known of a field beside its type: a default, or what makes one, and whether it is compared."""

        def __init__(self, *, default=_MISSING, default_factory=None, compare=True, repr=True, hash=None):
            self.default, self.default_factory, self.repr = default, default_factory, repr
            self.compare = compare and hash is not False

    def dataclass(cls=None, /, *, frozen=False, eq=True):
        """As `dataclasses.dataclass`, for classes that inherit no fields."""

        def decorated(cls: type[_Made]) -> type[_Made]:
            names = [name for name, kind in cls.__annotations__.items() if not str(kind).startswith("ClassVar")]
            cls.__match_args__ = tuple(names)
            cls.__record__ = {name: _declared(cls, name) for name in names}
            cls.__dataclass_fields__ = _StandardFields()
            cls.__init__ = _written_later("__init__", _initialiser)
            cls._replaced = _written_later("_replaced", _replacer)
            if "__repr__" not in cls.__dict__:
                cls.__repr__ = _repr
            if eq:
                _make_comparable(cls, frozen)
            return cls

        return decorated if cls is None else decorated(cls)

    class _StandardFields:
        """What `dataclasses.replace`, `fields` and `asdict` ask of a class, made when one of them is used on it."""

        def __get__(self, record, cls):
            import dataclasses

            made = []
            for name, declared in cls.__record__.items():
                options = {"compare": declared.compare, "repr": declared.repr}
                if declared.default_factory is not None:
                    options["default_factory"] = declared.default_factory
                elif declared.default is not _MISSING:
                    options["default"] = declared.default
                made.append((name, object, dataclasses.field(**options)))
            cls.__dataclass_fields__ = dataclasses.make_dataclass(cls.__name__, made).__dataclass_fields__
            return cls.__dataclass_fields__

    def replace(record: _Made, /, **changes: Any) -> _Made:
        """A copy with other values for some of its fields."""
        return record._replaced(**changes)

    def _declared(cls, name):
        default = cls.__dict__.get(name, _MISSING)
        declared = default if isinstance(default, field) else field(default=default)
        if declared.default is not _MISSING:
            setattr(cls, name, declared.default)
        elif declared is default:
            delattr(cls, name)
        return declared

    def _written_later(name, write):
        def first(self, *given, **named):
            cls = next(base for base in type(self).__mro__ if base.__dict__.get(name) is first)
            written = write(cls)
            setattr(cls, name, written)
            return written(self, *given, **named)

        return first

    def _initialiser(cls):
        known = {"_MISSING": _MISSING}
        parameters, lines = ["self"], []
        for name, declared in cls.__record__.items():
            value = name
            if declared.default_factory is not None:
                known[f"_make_{name}"] = declared.default_factory
                value = f"_make_{name}() if {name} is _MISSING else {name}"
                parameters.append(f"{name}=_MISSING")
            elif declared.default is not _MISSING:
                known[f"_default_{name}"] = declared.default
                parameters.append(f"{name}=_default_{name}")
            else:
                parameters.append(name)
            lines.append(f"self.{name} = {value}")
        return _function("__init__", parameters, lines or ["pass"], known, cls)

    def _replacer(cls):
        kept = [f"self.{name} if {name} is _MISSING else {name}" for name in cls.__record__]
        parameters = ["self", "*", *(f"{name}=_MISSING" for name in cls.__record__)]
        return _function("_replaced", parameters, [f"return _cls({', '.join(kept)})"], {"_MISSING": _MISSING}, cls)

    def _function(name, parameters, lines, known, cls):
        scope = {**known, "_cls": cls}
        body = "".join(f"\n    {line}" for line in lines)
        exec(f"def {name}({', '.join(parameters)}):{body}", scope)
        written = scope[name]
        written.__qualname__ = f"{cls.__qualname__}.{name}"
        return written

    def _make_comparable(cls, frozen):
        names = [name for name, declared in cls.__record__.items() if declared.compare]
        key = attrgetter(*names) if names else type

        def equal(self, other):
            return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

        cls.__eq__ = equal
        cls.__hash__ = (lambda self: hash(key(self))) if frozen else None

    def _repr(self):
        shown = ", ".join(
            f"{name}={getattr(self, name)!r}" for name, declared in type(self).__record__.items() if declared.repr
        )
        return f"{type(self).__qualname__}({shown})"


__all__ = ["dataclass", "field", "replace"]
