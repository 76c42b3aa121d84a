"""From a `Workspace` to Dagster definitions: one builder a Dagster concept."""
