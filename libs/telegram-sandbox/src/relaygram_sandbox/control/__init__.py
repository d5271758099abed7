"""The control plane: HTTP and JSON, for tests and demos. contracts: docs/sandbox.md."""
