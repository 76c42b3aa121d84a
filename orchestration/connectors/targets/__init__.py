"""Where data goes: one module a target connector."""
