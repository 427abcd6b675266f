"""This host as the platform's home: checks of what it has, installing and removing.

Works when nothing runs and when half is missing; it never asks the platform's processes to work.
"""
