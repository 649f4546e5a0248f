"""The simulated ERP: releases production orders and posts what comes back, over SOAP with B2MML documents."""

from plant.erp.system import Erp

__all__ = ["Erp"]
