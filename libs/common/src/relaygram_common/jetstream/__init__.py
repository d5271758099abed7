"""The JetStream hot paths that FastStream does not have: a pull subscription and a windowed publisher."""
