"""Files, leases, threads, timing and the machine: what knows nothing of networks."""
