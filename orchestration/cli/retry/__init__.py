"""`orchestrate retry`: one module a subcommand, and what they share."""
