"""The whole of Relaygram on one machine: servers, sandbox and services under one supervisor."""
