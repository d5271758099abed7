"""The people of the sandbox and what they wrote to each other. Synchronous throughout: no await, so no races."""
