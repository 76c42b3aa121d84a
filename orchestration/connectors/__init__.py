"""The built-in connector runtime, on dlt: one small module a connector."""
