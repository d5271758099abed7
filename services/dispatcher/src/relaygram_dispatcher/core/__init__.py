"""All rules of dispatching as values in, values out."""
