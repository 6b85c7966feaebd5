"""The leaky modulated recurrence of a whole ensemble, forward and analytic backward, and its back ends."""
