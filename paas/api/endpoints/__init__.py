"""Heroku's endpoints, one file a noun."""
