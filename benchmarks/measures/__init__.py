"""One file for each kind of work; each takes a stand and a scale and gives rows of the report."""
