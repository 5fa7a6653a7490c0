"""The bases of every model that crosses a boundary of the lab."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """Immutable, and strict about names: a misspelt field is an error, not a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, ser_json_inf_nan="null")


class Document(Model):
    """The root of a JSON document. Its first field is the schema's version."""

    version_of_schema: int = Field(default=1, alias="schema")

    def to_json(self, indent: int | None = 2) -> str:
        """The document as JSON; numbers that are not finite become null."""
        return self.model_dump_json(by_alias=True, indent=indent)
