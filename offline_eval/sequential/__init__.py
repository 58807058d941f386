"""Sequential estimators: for policies whose earlier decisions change what later ones meet."""
