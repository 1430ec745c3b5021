"""Content: what is written about items, and how an item that nobody has had yet gets its place from it.

Text becomes hashed terms (:mod:`models.content.terms`), terms become a vector (:mod:`models.content.vectors`), and a
map learned from the items that people have had (:mod:`models.content.ridge`) turns the vector of a new item into its
embeddings. :mod:`models.content.shelf` keeps what is known of all items and says when the map learns.
"""
