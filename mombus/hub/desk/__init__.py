"""The answers: what the hub says and does when people ask. Begin with `frontdesk.py`.

Each topic has a class of its own here, with an answer for each of its questions as `mombus/desk/` declares them.
"""
