"""Results made readable: text tables, machine formats and one self-contained HTML page."""
