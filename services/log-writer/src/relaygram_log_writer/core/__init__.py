"""All rules of the log as values in, values out."""
