"""The gateway's rules: values in, values out."""
