"""What a run tells the outside: events, logs, metrics and traces."""
