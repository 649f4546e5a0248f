"""What a change of the configuration means, told before it is made: pure comparison, no broker, no journal.

files        digests of the files that systems' settings name
picture      a configuration as plain data, secrets sealed
comparing    what is added, changed and removed between two pictures
consumers    what that is for the broker's consumers, and where each begins to read
apart        what it is for processes that run parts of a hub
hubs         the same change at every hub of a journal
fates        what becomes of the messages that are on their way
plan         all of it together, as people are told
"""
