"""The world's parameters: fitted to published rates, compared with other published figures, printed as tables."""
