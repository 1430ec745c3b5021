"""How good the recommendations are: protocols, metrics, and the data sets they run on."""
