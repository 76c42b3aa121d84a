"""`orchestrate dev`: UI, scheduler and code server on one screen, over files that are watched."""
