"""The ISA-95 (IEC 62264-2, -4) objects as models, their attribute names in snake_case.

Where B2MML lets an element repeat and plants use one, the field holds the first; the others are kept as foreign.
"""
