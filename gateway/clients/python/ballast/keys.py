"""The member's key: read from a file as `openssl genpkey -algorithm ED25519` writes it, and used to sign a logon."""

import base64
import binascii

from . import ed25519
from .errors import ConfigError

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
except ImportError:
    Ed25519PrivateKey = None

# PKCS#8 of RFC 8410: version 0 or 1, the algorithm 1.3.101.112, and the seed as an octet string in an octet string.
_HEAD_LENGTH = 16
_ALGORITHM = bytes.fromhex("300506032b6570")
_SEED_HEAD = bytes.fromhex("04220420")
_BEGIN, _END = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"


def read_seed(path):
    """The 32-byte seed in a PKCS#8 PEM file."""
    how = "make a key with `openssl genpkey -algorithm ED25519` and have the venue's operator register it"
    try:
        with open(path, encoding="ascii") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"key file {path}: {error}; {how}") from None
    _, begins, rest = text.partition(_BEGIN)
    body, ends, _ = rest.partition(_END)
    try:
        der = base64.b64decode("".join(body.split()), validate=True) if begins and ends else b""
    except binascii.Error:
        der = b""
    head, seed = der[:_HEAD_LENGTH], der[_HEAD_LENGTH : _HEAD_LENGTH + 32]
    if head[5:12] != _ALGORITHM or head[12:] != _SEED_HEAD or len(seed) != 32:
        raise ConfigError(f"key file {path} is no Ed25519 key in PKCS#8 PEM; {how}")
    return seed


def sign(seed, message):
    """The Ed25519 signature, by `cryptography` where it is installed."""
    if Ed25519PrivateKey is not None:
        return Ed25519PrivateKey.from_private_bytes(seed).sign(message)
    return ed25519.sign(seed, message)
