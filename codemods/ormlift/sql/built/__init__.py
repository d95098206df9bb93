"""SQL that is built: of lists of conditions and assignments that branches fill, and of the texts around them."""
