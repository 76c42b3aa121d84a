"""`orchestrate up`: everything as a service, which restarts what dies and ends in order."""
