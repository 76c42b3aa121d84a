"""pyarrow, which ships no types: everything of it is `Any`, and only through this module."""

from __future__ import annotations

from importlib import import_module
from typing import Any

pa: Any = import_module("pyarrow")
pc: Any = import_module("pyarrow.compute")
