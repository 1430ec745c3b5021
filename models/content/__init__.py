"""Content: what is written about items, and how an item that nobody has had yet gets its place from it.

Text becomes hashed terms (:mod:`models.content.terms`), terms become a vector (:mod:`models.content.vectors`). Items
that people have had are examples (:mod:`models.content.examples`) for a map (:mod:`models.content.ridge`), which turns
the vector of a new item into its embeddings. :mod:`models.content.items` keeps what is known of all items.
"""
