"""The connector runtime: moves data from a source to a target, on dlt, in a process of its own.

`python -m orchestration.connectors` reads one order from stdin and carries it out. A connector is
one module in `sources/` or `targets/` and one line in `registry.py`.
"""
