"""The values everything else works on: frozen dataclasses and pure functions, no I/O."""
