"""Who may see and do what on the pages and in the API.

A request passes visiting.py (which browser is it?), guard.py (who is it?) and forgery.py (did a page of ours send
it?), all before a page or a path of the API asks in its name.
"""
