"""MTProto on the wire: framing, key exchange, encryption, messages and acknowledgements. Knows no accounts."""
