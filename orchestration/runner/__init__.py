"""One attempt of one task: spawn, stream, mask, classify, stop."""
