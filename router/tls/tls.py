"""TLS for visitors: one front context, and behind it a context a certificate, chosen by SNI.

    Front.context             what the listening sockets are served with
    Front.swap(certificates)  from the next handshake on; open connections keep what they have

TLS 1.2 with forward secrecy and authenticated ciphers, and TLS 1.3 (RFC 9325); ALPN offers
http/1.1 (HTTP/2 would be a name more, and a protocol chosen after the handshake). OpenSSL
encrypts session tickets with the front context's keys whichever certificate is chosen, so workers
whose front contexts have the same ticket keys resume one another's sessions.

A visitor who names no host, or one that has no certificate, gets the default certificate: a warning
that a person can read and a program can be told to ignore, where an alert would say nothing. It is
signed by nobody whom the visitor trusts, so it proves nothing. Without a default the handshake
fails (unrecognized_name, RFC 6066 §3; uvloop closes before that alert is sent).
"""

import os
import ssl
from collections import OrderedDict
from typing import Final

from router.tls import tickets
from router.tls.certificates import DEFAULT, Certificate, CertificateError, Certificates, wildcard

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: Mozilla's intermediate set without finite-field Diffie-Hellman."""
PROTOCOLS: Final = ["http/1.1"]
CONTEXTS_MAX: Final = 1024
"""A context takes some ten kilobytes; those that were not used for longest are made again."""


class Front:
    def __init__(self) -> None:
        self.context = _context()
        self.context.sni_callback = self._choose
        self._by_name: dict[str, Certificate] = {}
        self._contexts: OrderedDict[Certificate, ssl.SSLContext] = OrderedDict()

    def swap(self, certificates: Certificates, ticket_keys: bytes) -> None:
        """One assignment makes the new set obeyed; contexts of what stayed the same are kept."""
        self._by_name = {name: each for each in certificates.all for name in each.names}
        kept = set(certificates.all)
        for gone in [each for each in self._contexts if each not in kept]:
            del self._contexts[gone]
        tickets.use(self.context, ticket_keys)

    def certificate(self, host: str | None) -> Certificate | None:
        """The exact name's, its wildcard's, or the default one."""
        by_name = self._by_name
        if host:
            host = host.lower().removesuffix(".")
            found = by_name.get(host) or by_name.get(wildcard(host))
            if found is not None:
                return found
        return by_name.get(DEFAULT)

    def _choose(
        self, connection: ssl.SSLObject, host: str | None, _front: ssl.SSLContext
    ) -> int | None:
        certificate = self.certificate(host)
        if certificate is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = self._context_of(certificate)
        return None

    def _context_of(self, certificate: Certificate) -> ssl.SSLContext:
        contexts = self._contexts
        context = contexts.get(certificate)
        if context is None:
            context = contexts[certificate] = context_with(certificate)
            if len(contexts) > CONTEXTS_MAX:
                contexts.popitem(last=False)
        else:
            contexts.move_to_end(certificate)
        return context


def context_with(certificate: Certificate) -> ssl.SSLContext:
    """Raises CertificateError for what is no chain with its key."""
    context = _context()
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        # The ssl module takes certificates from files only; this one is never on a disk.
        with open(descriptor, "wb", closefd=False) as file:
            file.write(f"{certificate.chain}\n{certificate.key}\n".encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        name = certificate.names[0]
        raise CertificateError(f"the certificate of {name} can't be used: {reason}") from None
    finally:
        os.close(descriptor)
    return context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(PROTOCOLS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context


def _no_password() -> str:
    """Without it OpenSSL would ask at the terminal for the password of an encrypted key."""
    raise ValueError("the key is encrypted")
