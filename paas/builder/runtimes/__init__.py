"""The runtimes of an app as images: `/opt/node`, `/opt/bun`, `/opt/deno` of its zones.

Each version is one image, shared by all apps and mounted read-only, so that its pages are in memory
once. `install` makes those that are missing, and says which there are.
"""
