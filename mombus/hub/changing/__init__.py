"""Taking over another configuration while the hub runs. Begin with `applying.py`.

applying     a change from beginning to end, at all hubs: looked at, prepared, switched, cleared up, noted
leading      one change at all hubs of the journal, one after the other
checking     whether a plan is what was asked for, and can be done
here         each step at this hub
others       each step at the other hubs of the journal
changing     which configuration works now: closes one and opens the other, and goes back when that fails
work         what works under one configuration, and is closed and opened as a whole
trying       whether what is new can be reached at all
finishing    what is on its way is delivered by the rules that hold until then
left         what still waits for a system that isn't there any more
"""
