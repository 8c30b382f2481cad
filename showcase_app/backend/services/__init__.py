"""What the routes work with, built once when the server starts."""
