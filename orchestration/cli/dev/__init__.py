"""`orchestrate dev`: UI, scheduler and code server on one screen, over files that are watched.

What starts and watches them here serves `orchestrate up` as well.
"""
