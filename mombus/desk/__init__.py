"""What people may ask of the hub, declared once: its name, what is asked, and who may. Pages, API, CLI ask that.

One file for each topic, with the models of what is asked and answered. The answers are given in `mombus/hub/desk/`, in
the process that has the journal; pages that run elsewhere ask over the bus. Begin with `question.py`.
"""
