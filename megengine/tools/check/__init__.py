"""``mge check``: reads an old project without running it and says what of it is here, differs, is missing or is gone."""
