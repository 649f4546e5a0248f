"""Another site: its mombus, read over NATS."""

from connectors.site.connector import Site, SiteConfig

__all__ = ["Site", "SiteConfig"]
