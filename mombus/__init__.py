"""mombus: the ISA-95 bus between the systems of a factory."""

__version__ = "0.1.0"
