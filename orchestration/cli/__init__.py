"""The command `orchestrate`: one module a command group; the only place that prints and exits."""
