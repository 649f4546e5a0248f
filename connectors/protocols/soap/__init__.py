"""SOAP 1.1 and 1.2, document/literal: a service that takes XML documents, and a client that sends them.

The envelope is ours, the documents pass through it unchanged. zeep reads the other side's WSDL. Hosting is Starlette
and a WSDL from a template: SOAP server libraries map operations to typed functions that answer at once; here the caller
waits until the document is stored, and hears 503 with Retry-After when it can't be.
"""
