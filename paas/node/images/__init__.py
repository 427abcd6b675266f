"""Images: what machines are cloned from and mount. imgadm's verbs over the pool.

`prepare_images` is for the node's start; `store.Images` is what the node then asks.
"""
