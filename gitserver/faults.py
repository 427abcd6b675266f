"""What is wrong with what a client sent, in words for that client."""


class Fault(Exception):
    """The pack, the request or an object is bad; one line says what, where and what to do."""


class Missing(Fault):
    """An object that the client takes to be here is not."""
