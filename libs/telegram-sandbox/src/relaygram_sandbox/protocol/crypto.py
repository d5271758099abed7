"""The server's RSA key, the message encryption of MTProto 2.0 and the Diffie-Hellman group."""

import os
from functools import cached_property
from hashlib import sha1, sha256

import cryptg
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from telethon.tl import TLObject

# Telegram's own 2048-bit prime: clients know it and skip checking that it is safe.
DH_PRIME = int(
    "C71CAEB9C6B1C9048E6C522F70F13F73980D40238E3E21C14934D037563D930F48198A0AA7C14058229493D22530F4DB"
    "FA336F6E0AC925139543AED44CCE7C3720FD51F69458705AC68CD4FE6B6B13ABDC9746512969328454F18FAF8C595F64"
    "2477FE96BB2A941D5BCD1D4AC8CC49880708FA9B378E3C4F3A9060BEE67CF9A4A4A695811051907E162753B56B0F6B41"
    "0DBA74D8A84B2A14B3144E0EF1284754FD17ED950D5965B4B9DD46582DB1178D169C6BC465B0D6FF9CA3928FEF5B9AE4"
    "E418FC15E83EBEA0F87FA9FF5EED70050DED2849F47BF959D956850CE929851F0D8115F635B105EE2E4E15D04B2454BF"
    "6F4FADF034B10403119CD8E3B92FCC5B",
    16,
)
DH_GENERATOR = 3


def as_256_bytes(number: int) -> bytes:
    """A number of the group in its fixed width."""
    return number.to_bytes(256, "big")


class ServerKey:
    """The RSA key that clients check the server by; it must outlive restarts."""

    def __init__(self, pem: str) -> None:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("the stored server key is no RSA key")
        self._key = key
        self._numbers = key.private_numbers()

    @staticmethod
    def generate_pem() -> str:
        """A new private key as text, for storing."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode()

    @cached_property
    def public_pem(self) -> str:
        """The public half in PKCS#1, as Telethon's rsa.add_key takes it."""
        return (
            self._key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1).decode()
        )

    @cached_property
    def fingerprint(self) -> int:
        """The signed 64-bit number by which clients find this key."""
        public = self._numbers.public_numbers
        fields = [number.to_bytes((number.bit_length() + 7) // 8, "big") for number in (public.n, public.e)]
        digest = sha1(b"".join(TLObject.serialize_bytes(field) for field in fields), usedforsecurity=False)
        return int.from_bytes(digest.digest()[-8:], "little", signed=True)

    def decrypt(self, data: bytes) -> bytes:
        """Raw RSA by the Chinese remainder theorem: a third of the time of one big power."""
        numbers = self._numbers
        cipher = int.from_bytes(data, "big")
        first = pow(cipher, numbers.dmp1, numbers.p)
        second = pow(cipher, numbers.dmq1, numbers.q)
        plain = second + numbers.q * (numbers.iqmp * (first - second) % numbers.p)
        return (plain % numbers.public_numbers.n).to_bytes(256, "big")


def _derive(secret: bytes, message_key: bytes, offset: int) -> tuple[bytes, bytes]:
    first = sha256(message_key + secret[offset : offset + 36]).digest()
    second = sha256(secret[offset + 40 : offset + 76] + message_key).digest()
    return first[:8] + second[8:24] + first[24:], second[:8] + first[8:24] + second[24:]


def decrypt_from_client(secret: bytes, packet: bytes) -> bytes | None:
    """The plain text of a packet, or None when it was not made with this key."""
    message_key, cipher = packet[8:24], packet[24:]
    if not cipher or len(cipher) % 16:
        return None
    plain: bytes = cryptg.decrypt_ige(cipher, *_derive(secret, message_key, 0))
    if sha256(secret[88:120] + plain).digest()[8:24] != message_key:
        return None
    return plain


def encrypt_to_client(key_id: bytes, secret: bytes, plain: bytes) -> bytes:
    """A packet that only the holder of the key can read."""
    plain += os.urandom(-(len(plain) + 12) % 16 + 12)
    message_key = sha256(secret[96:128] + plain).digest()[8:24]
    cipher: bytes = cryptg.encrypt_ige(plain, *_derive(secret, message_key, 8))
    return key_id + message_key + cipher


def key_id_of(secret: bytes) -> bytes:
    """The eight bytes that name an auth key on the wire."""
    return sha1(secret, usedforsecurity=False).digest()[12:20]
