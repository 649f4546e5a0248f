"""What is said on the bus: the ISA-95 (IEC 62264) objects, the message and its wire forms.

Pure: nothing here opens a file of the user's, a socket or reads a clock.
"""
