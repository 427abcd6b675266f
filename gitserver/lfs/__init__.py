"""Git LFS: large files beside the repository, which the commits only point at.

pointers (what a commit has in their place) · commits (which files of a commit those are) · store
(where the contents are) · batch and serving (how clients send and fetch them) · collecting.
"""
