"""The hub: every part made and wired once, by arguments, and stopped in order. Begin with `hub.py`.

parts of a hub      parts, connecting, handovers; apart over NATS: remote, serving, carrying, told, far_intake, far_desk
a system            session, reading, spooling, answering, discretion
what people ask     frontdesk, reporting, auditing, bulk, choice, server; `replay/` is about history
the disk, the bus   storage, disk, gate, mending; belonging, adopting (does the journal belong to this broker?)
several hubs        sharing, shards, neighbours
what follows        observing, housekeeping, refusals
"""
