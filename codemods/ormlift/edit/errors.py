"""What can go wrong in an edit."""


class LayoutError(Exception):
    """The text is laid out in a way that the edit cannot follow; the site is refused as `unusual-layout`."""
