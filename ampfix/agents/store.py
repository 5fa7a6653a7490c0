"""Verdicts on disk, by what they depend on: an equal loop under equal conditions is run once, whenever it comes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from ampfix import atomic
from ampfix.lab.seeds import new_secret
from ampfix.lab.submission import sha256_of
from ampfix.lab.verdict import Verdict


class Store:
    """A folder with one file for each verdict. Several processes may write into it: equal keys hold equal content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._verdicts = folder / "verdicts"
        self._verdicts.mkdir(parents=True, exist_ok=True)

    def secret(self) -> str:
        """The secret of this folder's gradings: drawn once, so that a run that goes on later gives equal results."""
        path = self.folder / "secret"
        try:
            return path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            secret = new_secret()
            path.touch(mode=0o600)
            atomic.write(path, secret.encode())
            return secret

    def get(self, key: str) -> Verdict | None:
        """A verdict, or None where there is none that can be read: it is then made again."""
        try:
            return Verdict.model_validate_json((self._verdicts / f"{key}.json").read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def put(self, key: str, verdict: Verdict) -> None:
        atomic.write(self._verdicts / f"{key}.json", verdict.to_json(indent=None).encode())


def key_of(conditions: Mapping[str, str], files: Mapping[str, str]) -> str:
    """SHA-256 over the conditions of a grading and a loop's files."""
    text = json.dumps({**conditions, "loop": sha256_of(files)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
