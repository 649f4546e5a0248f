"""Route tests: cases in YAML beside the configuration, what they expect compared with what a real hub made of them.

`cases` declares what a file holds, `reading` reads it, `judging` compares, `saving` writes a case from messages of the
bus, `junit` writes what came out for CI. What runs a case is in `mombus/hub/trial/`: the hub itself.
"""

SUFFIX = ".test.yaml"
"""What the names of files of route tests end in."""
