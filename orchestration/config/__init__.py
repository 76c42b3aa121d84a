"""From YAML files to a `Workspace`: positions kept, all problems collected, nothing raised."""
