"""The process above all: starts the services, holds their sockets, starts them again."""
