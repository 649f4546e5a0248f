"""OPC UA (IEC 62541) over `asyncua`: a session that trusts nobody unasked, subscriptions that count what they lose."""
