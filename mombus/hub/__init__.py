"""The hub: every part made and wired once, by arguments, and stopped in order. Begin with `hub.py`.

parts of a hub      parts, connecting, handovers; `apart/` has those that run in processes of their own
a system            session, reading, spooling, answering, discretion
what people ask     `desk/` answers; `replay/` is about history; server
underneath          `store/`: the disk, the broker, and whether the journal belongs to it
several hubs        `several/`
what follows        observing, housekeeping, refusals
the interpreter     cycles
"""
