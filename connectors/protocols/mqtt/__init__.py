"""MQTT 3.1.1: reading with acknowledgement after storing, asking with an answer, both over reconnects."""
