"""TLS: contexts, certificates, session tickets."""
