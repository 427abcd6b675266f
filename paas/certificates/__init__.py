"""Certificates for the router: asked of an ACME server, or signed by the installation itself.

keeping     the loop: which host names need one, whose turn it is, and what the router is given
hostnames   which host names need one, and whose signature. Pure
acme        one order at an ACME server (RFC 8555), proved over HTTP; blocks, so it has a thread
authority   the installation's own authority, for laptops and LANs
"""
