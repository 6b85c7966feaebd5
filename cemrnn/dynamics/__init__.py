"""Where the dynamics come to rest under a constant context, and how stable it is there."""
