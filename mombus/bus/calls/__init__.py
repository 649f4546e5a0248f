"""Calls between the parts of a hub that run apart: a question of any size, one answer of any size, over NATS.

A call `write` of system `erp` is asked on `<base>.erp.write`, with its id in a header. What is larger than the broker
carries goes in frames: each is answered before the next is sent, and nothing is done before the last one is there.
Long answers are fetched in frames in the same way. Both go to the one process that has the rest: `<call>.<process>`.

Who waits for an answer looks every few seconds whether somebody still works on it (`<base>.erp.working`), so that the
end of the other process is noticed. Two things are told apart, since only one of them may be tried again blindly:
NobodyAnswers (nothing was done, for certain) and AnswerLost (it may have been done).

What has an effect (`once`) is sent in two frames at least. A process that was frozen, or a line that held everything
back, may bring a question long after its caller gave it up and has read back that nothing was done. The last frame is
sent only after the one before it was answered, so its age is known by one clock: too old, and the call doesn't begin.
"""
