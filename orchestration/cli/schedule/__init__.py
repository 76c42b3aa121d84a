"""`orchestrate schedule`: one module a subcommand, and what they share."""
