"""What an app of a language family needs to be built and started, as data.

One folder a language family: `detect` says whether a pushed tree is its own, `plan` reads the tree
and answers what to install, run and start, `classify` explains a failed step. Nothing here runs a
command, opens a file or knows zones: the tree is handed in (`buildpacks.tree.Tree`), and who builds
runs the plan.
"""
