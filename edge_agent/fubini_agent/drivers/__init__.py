"""How an attempt runs at a site. `local`: processes of this machine, through the keeper."""
