"""Agent frameworks, each in a module of its own name, which needs the framework installed.

All do the same in their framework's words: have a tool call reviewed before it is made (`HITL.review`), make
it as it was approved, or tell the model why it was not made or what a person answered in its place.
"""
