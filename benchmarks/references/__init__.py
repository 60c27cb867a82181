"""Small programs that do the core of the work and nothing else: what the server is held against."""
