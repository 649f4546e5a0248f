"""The wires that connectors share; they know no factory words."""
