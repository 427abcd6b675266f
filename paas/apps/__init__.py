"""The domain: apps, config, releases, formations, domains and packages. Pure rules, no I/O.

One noun a file; what is stored is `paas.store`'s matter, what runs is `paas.provisioner`'s.
"""
