"""Arrays in, numbers out: what is measured on networks and their answers, and with what certainty."""
