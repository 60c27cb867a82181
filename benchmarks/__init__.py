"""Measure the real server beside small references, in the same rounds on the same machine.

    python -m benchmarks                 everything; writes docs/benchmarks.md and its plot
    python -m benchmarks --quick         a few short rounds; fails where a ratio is far off
    python -m benchmarks --only create   one measure

A figure by itself says little, as machines differ and drift: each is taken in turn with its reference
(A B C A B C …), and what counts is the ratio inside a round.
"""
