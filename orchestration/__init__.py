"""Multi-tenant ingestion jobs written in YAML, run and scheduled by Dagster."""

__version__ = "0.1.0"
