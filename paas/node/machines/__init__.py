"""Machines: what was asked for, what is recorded, what runs."""
