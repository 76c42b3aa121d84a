"""`orchestrate doctor`: asks the live instance, and compares it with what the files say.

`observe` asks, everything else judges: a check is a pure function of what was observed.
"""
