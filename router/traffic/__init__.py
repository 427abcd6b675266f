"""A request's way: in from a visitor, out to an instance, and back."""
