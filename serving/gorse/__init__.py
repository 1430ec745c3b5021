"""The shapes of another system's REST interface, Gorse's, from and to ours; :mod:`serving.routes.gorse` serves them."""
