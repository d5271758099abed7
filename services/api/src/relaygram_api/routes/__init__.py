"""One noun a file: what is asked, who may ask it, which adapter answers."""
