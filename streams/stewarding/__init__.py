"""What belongs to no user: lists for everybody, neighbours, pages of items; written by one worker."""
