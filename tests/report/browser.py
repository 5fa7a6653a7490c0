"""Shows a page in a headless browser, as a reader would see it, and reports what its console says."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

TIMEOUT_S = 120

# Errors that no console message would tell are gathered in the document, where a dump shows them.
_LISTEN = """<script>window.addEventListener("error", (event) =>
document.documentElement.setAttribute("data-error", event.message));</script>"""


@dataclass(frozen=True)
class Shown:
    """dom: the document after its scripts ran. messages: what they wrote to the console, errors included."""

    dom: str
    messages: list[str]
    picture_bytes: int


def show(page: str, folder: Path, *, dark: bool = False, script: str = "") -> Shown:
    """Open the page; `script` runs behind its own, in the place of a reader. Skips where there is no browser."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no headless browser here: apt-get install chromium")
    path, picture = folder / "page.html", folder / "page.png"
    acted = page.replace("<head>", f"<head>{_LISTEN}", 1).replace("</body>", f"<script>{script}</script></body>")
    path.write_text(acted, encoding="utf-8")
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={folder / 'profile'}",
        "--enable-logging=stderr", "--window-size=1000,2000", f"--screenshot={picture}", "--dump-dom",
    ]  # fmt: skip
    options += ["--blink-settings=preferredColorScheme=0"] if dark else []
    done = subprocess.run([program, *options, path.as_uri()], capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    messages = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    messages += [line for line in done.stdout.splitlines()[:3] if "data-error=" in line]
    return Shown(done.stdout, messages, picture.stat().st_size)
