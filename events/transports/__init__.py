"""The ways in which people and programs are told, each in a file of its own."""
