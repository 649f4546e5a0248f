"""SOAP 1.1 and 1.2, document/literal: a service that takes XML documents, and a client that sends them.

The envelope is ours, the documents pass through it unchanged. zeep reads the other side's WSDL; Starlette hosts ours.
"""
