"""Rules: values in, values out."""
