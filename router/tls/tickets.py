"""Session ticket keys that several processes share.

Each worker is a program of its own, so its OpenSSL would make ticket keys of its own, and a visitor
could resume a session only where it began. The ssl module has no way to set them; OpenSSL has
(SSL_CTX_set_tlsext_ticket_keys(3)), and takes the address of the SSL_CTX, which is the first field
of CPython's SSLContext after the object's head. Where that can't be done sessions are resumed
within a worker only: slower, nothing else.
"""

import _ssl
import ctypes
import secrets
import ssl
import sys
from typing import Final

BYTES: Final = 80
"""OpenSSL 3: a name of 16 bytes, 32 for the HMAC, 32 for AES-256."""
_GET, _SET = 58, 59
"""SSL_CTRL_GET_TLSEXT_TICKET_KEYS and …SET…, <openssl/ssl.h>."""


def new() -> bytes:
    return secrets.token_bytes(BYTES)


def use(context: ssl.SSLContext, keys: bytes) -> bool:
    """Encrypt tickets with these keys from now on; False where it can't be done."""
    control = _control()
    if control is None or len(keys) != BYTES:
        return False
    address = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    if control(address, _GET, 0, None) != BYTES:
        return False
    return bool(control(address, _SET, BYTES, keys))


def _control() -> "ctypes._NamedFuncPointer | None":
    """SSL_CTX_ctrl(3) of the very libssl that the ssl module uses."""
    if sys.implementation.name != "cpython" or ssl.OPENSSL_VERSION_INFO < (3,):
        return None
    try:
        control = ctypes.CDLL(_ssl.__file__).SSL_CTX_ctrl
    except (AttributeError, OSError):
        return None
    control.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p]
    control.restype = ctypes.c_long
    return control
