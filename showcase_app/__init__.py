"""The web app over ia_modules: a REST and socket face on what is on record."""
