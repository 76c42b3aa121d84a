"""`orchestrate dlq`: one module a subcommand, and what they share."""
