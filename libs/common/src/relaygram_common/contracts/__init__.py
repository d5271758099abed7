"""The language that services, and subscribers outside, speak: bodies, ids, states, subjects. Values only, no I/O."""
