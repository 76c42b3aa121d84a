"""`orchestrate checkpoint`: one module a subcommand, and what they share."""
